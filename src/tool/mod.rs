//! Programs and files outside: ffprobe, ffmpeg, what keeps a child process in bounds, and files replaced as a whole.

pub mod ffmpeg;
pub mod ffprobe;
pub mod file;
pub mod process;
#[cfg(unix)]
pub mod systemd;

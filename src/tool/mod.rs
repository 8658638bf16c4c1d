//! Programs and files outside: ffprobe, ffmpeg, what keeps a child process in bounds, files read within bounds and replaced as
//! a whole, and what this process itself takes of its machine.

pub mod ffmpeg;
pub mod ffprobe;
pub mod file;
pub mod process;
pub mod read;
#[cfg(unix)]
pub mod systemd;
pub mod terminal;
pub mod usage;

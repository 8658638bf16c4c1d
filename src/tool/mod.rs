//! Programs and files outside: ffprobe, ffmpeg and what keeps a child process in bounds.

pub mod ffprobe;
pub mod process;

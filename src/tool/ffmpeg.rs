//! `ffmpeg` makes a JPEG of a key frame. It reads what we captured from its standard input, like ffprobe.

use std::time::Duration;

use tokio::sync::Semaphore;

use crate::tool::process;

/// How long ffmpeg may take for one picture; a healthy one needs a fraction of it.
const DECODE_LIMIT: Duration = Duration::from_secs(15);

/// The largest picture taken of it, in bytes.
const MAX_PICTURE: u64 = 8 << 20;

/// Pictures decoded at once, of the whole program: each keeps a core busy.
static DECODERS: Semaphore = Semaphore::const_new(2);

/// Whether there is a program of that name where programs are looked for.
pub fn is_installed() -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join("ffmpeg").is_file())
}

/// What ffmpeg makes of `captured`, a whole picture in the elementary format it calls `format`: a JPEG, if it can.
///
/// # Errors
/// It is not installed, did not end in time or could not be run. One sentence for the operator.
pub async fn picture(captured: &[u8], format: &str) -> Result<Vec<u8>, String> {
    let args = ["-v", "error", "-protocol_whitelist", "pipe", "-threads", "1", "-f", format, "-i", "pipe:0"];
    let picture =
        ["-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "3", "-f", "image2pipe", "pipe:1"];
    let args = [&args[..], &picture[..]].concat();
    let _turn = DECODERS.acquire().await.map_err(|e| e.to_string())?;
    let decoded = process::through("ffmpeg", &args, captured, MAX_PICTURE, DECODE_LIMIT).await;
    decoded.map_err(|error| format!("ffmpeg {error}"))
}

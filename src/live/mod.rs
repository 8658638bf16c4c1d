//! Live view: one session with a camera, any number of viewers.
//!
//! ```text
//! camera ─RTSP, MJPEG─► source ─► assembler ─► hub (ring of frames) ─┬─► engine: WebRTC over UDP, else TCP
//!                                                                    ├─► viewer::mse: fragmented MP4
//!                                                                    ├─► viewer::jpegs
//!                                                                    └─► viewer::stills: key frames as JPEGs
//! ```
//!
//! [`manager::Live`] is all that `serve` calls:
//!
//! | call | for |
//! | --- | --- |
//! | [`new`](manager::Live::new), [`set_streams`](manager::Live::set_streams), [`stop`](manager::Live::stop) | the life of it; streams come and go while it runs |
//! | [`offer`](manager::Live::offer) | WHEP's POST and the page's own offer: `201` with the answer, its secret goes into `Location` |
//! | [`patch`](manager::Live::patch), [`close`](manager::Live::close) | WHEP's PATCH and DELETE, by that secret alone |
//! | [`choose`](manager::Live::choose) | which modes the page can try, best first, and why not the others |
//! | [`mse`](manager::Live::mse), [`mjpeg`](manager::Live::mjpeg), [`stills`](manager::Live::stills) | pieces for the binary frames of a WebSocket; pulled, so that whoever is slow is left behind and nobody else |
//! | [`facts`](manager::Live::facts), [`list`](manager::Live::list), [`conditions`](manager::Live::conditions) | states, reasons, statistics and viewers, for the API and the page |
//! | [`figures`](manager::Live::figures) | what the engine counts, for metrics |
//! | [`picture`](manager::Live::picture) | the newest key frame, which spares a camera the session of a snapshot or a check |
//! | [`retry`](manager::Live::retry) | somebody has acted after a refused login |
//!
//! A [`refusal::Refusal`] knows its status of HTTP and when to ask again. What is serialised here holds neither address nor
//! login of a camera, and nothing of who watches.
//!
//! A stream is fetched from the first viewer until 15 s after the last. A refused login is not sent again before `set_streams`
//! brings other `Logins`, or `retry` is called.

pub mod audience;
pub mod choose;
pub mod engine;
pub mod entry;
pub mod facts;
pub mod frame;
pub mod guest;
pub mod hub;
pub mod manager;
pub mod refusal;
pub mod source;
mod still;
pub mod stream;
pub mod timeline;
pub mod viewer;
pub mod words;

#[cfg(test)]
mod tests;

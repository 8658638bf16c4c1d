//! SRT (draft-sharabayko-srt): recognised by the answer to the first packet of a handshake. Nothing more is sent, so no
//! connection comes about.

pub mod inquire;
pub mod wire;

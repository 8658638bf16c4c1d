//! Fetches a still picture.

use std::ops::Range;
use std::sync::Arc;

use tokio::time::Instant;

use crate::media::jpeg;
use crate::model::{ErrorKind, Protocol, Service, Stream, Transport};
use crate::probe::Inspection;
use crate::probe::memory::Kept;
use crate::protocol::http::client;
use crate::protocol::http::message::{self, HttpError, Request};
use crate::protocol::mjpeg::wire::Pictures;
use crate::wire::url::{AnnouncedUrl, Endpoint, HostUrl, Scheme};

/// The largest picture taken.
const MAX_PICTURE: usize = 8 * 1024 * 1024;

/// A picture of a stream: from the address the device announced for it, else out of the stream itself when that is MJPEG,
/// else from where the maker puts it.
///
/// # Errors
/// As [`fetch`], of the last place asked.
pub async fn of_stream(host: &Inspection, stream: &Stream) -> Result<Kept<Vec<u8>>, HttpError> {
    if let Some(picture) = announced(host, stream).await {
        return Ok(picture);
    }
    elsewhere(host, stream).await
}

/// A picture from the address the device announced for a stream; none where it announced none, or nothing came.
pub async fn announced(host: &Inspection, stream: &Stream) -> Option<Kept<Vec<u8>>> {
    let hint = host.record.hints().into_iter().find(|hint| {
        hint.url == stream.url || (hint.profile_token.is_some() && hint.profile_token == stream.profile_token)
    })?;
    fetch(host, &hint.snapshot_url?).await.ok()
}

/// A picture of a stream from where none was announced: out of the stream itself when that is MJPEG, else from where the
/// maker puts it.
///
/// # Errors
/// As [`fetch`], of the last place asked.
pub async fn elsewhere(host: &Inspection, stream: &Stream) -> Result<Kept<Vec<u8>>, HttpError> {
    if stream.protocol == Protocol::Mjpeg {
        return first_picture(host, &stream.url).await;
    }
    let is_web = |s: &Service| matches!(s.protocol, Protocol::Http | Protocol::Https) && s.transport == Transport::Tcp;
    let Some(web) = host.record.services().into_iter().filter(is_web).min_by_key(|s| (s.protocol, s.port)) else {
        return Err(HttpError::new(ErrorKind::NotFound, "no place of a snapshot is known"));
    };
    find(host, Endpoint::of(&web), stream.channel.unwrap_or(1)).await
}

/// The first picture of an MJPEG stream.
async fn first_picture(host: &Inspection, url: &str) -> Result<Kept<Vec<u8>>, HttpError> {
    let (response, mut body) = client::open(&host.peer, Request::of(&read(url)?).with_login()).await?;
    let deadline = host.peer.deadline.min(Instant::now() + host.options.frame_timeout);
    let (mut pictures, mut room) = (Pictures::default(), host.peer.memory.room());
    while response.status == 200
        && !pictures.is_overlong()
        && Instant::now() < deadline
        && let Some(bytes) = body.next(deadline).await?
    {
        let fits = room.fit(pictures.held() + bytes.len(), host.peer.deadline).await;
        fits.map_err(|why| HttpError::new(ErrorKind::Local, why.to_string()))?;
        pictures.push(&bytes);
        if let Some(picture) = std::iter::from_fn(|| pictures.next_picture()).find(|p| jpeg::size_of_any(p).is_some()) {
            room.shrink(picture.len());
            return Ok(Kept::new(picture, Some(Arc::new(room))));
        }
    }
    Err(HttpError::new(ErrorKind::Protocol, "no picture in the stream"))
}

/// An HTTP address, at the host.
fn read(url: &str) -> Result<HostUrl, HttpError> {
    let announced = AnnouncedUrl::read_lenient(url, Scheme::Http).filter(|a| a.url.scheme.is_http());
    let no_http = || HttpError::new(ErrorKind::Protocol, "the snapshot is at no HTTP address");
    announced.map(|announced| announced.url).ok_or_else(no_http)
}

/// The picture at an address of the host, logged in where that is demanded. What the answer's type says does not count:
/// error pages come as `image/jpeg`, pictures as `application/octet-stream`.
///
/// # Errors
/// No answer, another status than 200, or something that is no JPEG.
pub async fn fetch(host: &Inspection, url: &str) -> Result<Kept<Vec<u8>>, HttpError> {
    fetch_at(host, &read(url)?).await
}

/// The picture of a channel (from 1) at the places where the host's maker puts it, the first that gives one.
///
/// # Errors
/// What the last place answered.
pub async fn find(host: &Inspection, at: Endpoint, channel: u32) -> Result<Kept<Vec<u8>>, HttpError> {
    const MOST: usize = 4;
    let mut last = HttpError::new(ErrorKind::NotFound, "no place of a snapshot is known");
    let usual = host.signatures.stream_urls().snapshot(host.record.vendor().as_deref(), channel);
    for candidate in usual.into_iter().take(MOST) {
        match fetch_at(host, &Endpoint { port: candidate.port.unwrap_or(at.port), ..at }.http(&candidate.path)).await {
            Ok(picture) => return Ok(picture),
            Err(error) => last = error,
        }
        if host.peer.is_over()
            || matches!(last.kind, ErrorKind::Locked | ErrorKind::LoginRests | ErrorKind::AuthRefused)
        {
            break;
        }
    }
    Err(last)
}

async fn fetch_at(host: &Inspection, url: &HostUrl) -> Result<Kept<Vec<u8>>, HttpError> {
    let request = Request { max_body: MAX_PICTURE, ..Request::of(url).with_login() };
    let mut response = client::send(&host.peer, request).await?;
    let (kind, why) = match response.status {
        200 => match jpeg::place(&response.body).filter(|place| has_size(&response.body, place)) {
            Some(place) => {
                response.body.truncate(place.end);
                response.body.drain(..place.start);
                return Ok(Kept::new(response.body, response.room));
            }
            None if response.truncated => (ErrorKind::TooLarge, "the picture is cut off".to_owned()),
            None => (ErrorKind::Protocol, "the answer is no JPEG".to_owned()),
        },
        401 | 403 => match host.peer.logins.stopped() {
            Some(why) => (host.peer.stopped_kind(), why),
            None if host.peer.logins.credentials().is_empty() => {
                (ErrorKind::AuthRequired, "a login is demanded".to_owned())
            }
            None => (ErrorKind::AuthRefused, "the login was refused".to_owned()),
        },
        404 => (ErrorKind::NotFound, "there is no picture".to_owned()),
        503 => (ErrorKind::Busy, "the device is busy".to_owned()),
        status => (ErrorKind::Device, format!("answered status {status}")),
    };
    Err(HttpError::new(kind, format!("{}: {why}", message::url(&host.peer, url.endpoint(), "/"))))
}

/// Whether there is a picture in that place, which has a size, rather than an empty shell.
fn has_size(bytes: &[u8], place: &Range<usize>) -> bool {
    bytes.get(place.clone()).is_some_and(|image| jpeg::size_of_any(image).is_some())
}

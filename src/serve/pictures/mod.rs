//! The last picture of each stream: whatever a camera sent is served only if it is a whole JPEG, and never as anything else.

mod shown;

use std::io::Read as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::extract::{Path, Query as Pairs, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use sha2::{Digest as _, Sha256};

pub use shown::Shown;

use super::App;
use super::api::table::{Endpoint, Shape, get, one};
use super::auth::Caller;
use super::problem::Problem;
use super::view::{Picture, Pictures};
use crate::history::memory::StreamId;
use crate::model::VideoCodec;
use crate::model::access::Scope;
use crate::watch::pictures::{LARGEST, file_of, folder_of, is_served};

/// Their row.
pub fn rows() -> Vec<Endpoint> {
    let named = one("v", Shape::Text, "The picture's hash: then it may be kept for good");
    let about = "The last picture of a stream; `Age` says how old it is, in seconds";
    vec![
        get("/streams/{id}/picture.jpg", Scope::Read, picture, about)
            .query(&[named])
            .header("If-None-Match", "The `ETag` of the picture that is there already")
            .answers_media(200, "A JPEG", "image/jpeg")
            .done(304, "It is the same"),
    ]
}

impl App {
    /// The last picture of each stream.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn shown_pictures(self: &Arc<Self>) -> Result<Arc<Pictures>, Problem> {
        self.ask(|app| {
            let as_of = (app.pictures.taken.load(Ordering::Relaxed), app.store.pictures_as_of()?);
            let mut read = app.pictures.read.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((own, pictures)) = &*read
                && *own == as_of
            {
                return Ok(pictures.clone());
            }
            let rows = app.store.pictures()?.into_iter().map(|row| {
                let picture = Picture { stream: row.stream.clone(), at: row.at, hash: row.hash, bytes: row.bytes };
                (row.stream, picture)
            });
            let pictures = Arc::new(rows.collect::<Pictures>());
            *read = Some((as_of, pictures.clone()));
            Ok(pictures)
        })
        .await
    }
}

/// A picture, ready to be sent.
struct Sent {
    bytes: Vec<u8>,
    hash: String,
    /// How old it is, in seconds.
    age: u64,
}

/// `GET /streams/{id}/picture.jpg`.
///
/// # Errors
/// When there is none.
pub async fn picture(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let none = || Problem::not_found("there is no picture of this stream");
    let id = StreamId::parse(&id).ok_or_else(none)?;
    let kept = kept(&app, id.clone()).await?;
    // Whoever names the picture wants that one, not a newer one.
    let named = pairs.iter().find(|(name, _)| name == "v").map(|(_, value)| value.as_str());
    let is_named = kept.as_ref().is_some_and(|kept| named == Some(kept.hash.as_str()));
    let live = if is_named { None } else { live(&app, &id) };
    let sent = match (live, kept) {
        (Some(live), Some(kept)) if live.age > kept.age => kept,
        (live, kept) => live.or(kept).ok_or_else(none)?,
    };
    Ok(answer(sent, &headers, is_named))
}

/// The one that is kept.
async fn kept(app: &Arc<App>, id: StreamId) -> Result<Option<Sent>, Problem> {
    app.ask(move |app| {
        let Some(row) = app.store.picture(&id)? else { return Ok(None) };
        let mut bytes = Vec::new();
        // A file that is gone is a picture that is not there.
        let read = std::fs::File::open(file_of(&folder_of(&app.store), &row.hash))
            .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
        if read.is_err() || !is_served(&bytes) {
            return Ok(None);
        }
        let age = app.now().duration_since(row.at).as_secs();
        Ok(Some(Sent { bytes, hash: row.hash, age: u64::try_from(age).unwrap_or_default() }))
    })
    .await
}

/// That of a camera that sends JPEGs to somebody who watches.
fn live(app: &App, id: &StreamId) -> Option<Sent> {
    let (picture, age) = app.live()?.picture(id.as_str())?;
    let is_jpeg = picture.codec == VideoCodec::Mjpeg && is_served(&picture.bytes);
    let hash = || Sha256::digest(&picture.bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    is_jpeg.then(hash).map(|hash| Sent { hash, age: age.as_secs(), bytes: picture.bytes })
}

fn answer(sent: Sent, asked: &HeaderMap, is_named: bool) -> Response {
    let tag = format!("\"{}\"", sent.hash);
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_known = known.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag);
    let length = sent.bytes.len();
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(sent.bytes) });
    let headers = response.headers_mut();
    if !is_known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::AGE, sent.age.into());
    // What is named by its content never changes.
    let cache = if is_named { "private, max-age=86400, immutable" } else { "private, no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    // Whatever it is in truth, a browser runs nothing of it.
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::Request;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::identify::signature::Signatures;
    use crate::model::access::Role;
    use crate::scan::session::Session;
    use crate::store::{Open, PictureRow, Store};
    use crate::testkit::net::FakeNet;
    use crate::testkit::place;
    use crate::watch::{Follower as _, News};

    const JPEG: &[u8] = include_bytes!("../../../tests/data/media/camera_640x480_1.jpg");

    fn now() -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    async fn get(app: &Arc<App>, path: &str, known: &str) -> (u16, HeaderMap, Vec<u8>) {
        let mut request = Request::builder().uri(path).header("if-none-match", known).body(Body::empty()).unwrap();
        request.extensions_mut().insert(Caller { scopes: Role::Viewer.scopes().to_vec(), ..Caller::default() });
        let response = TowerToHyperService::new(crate::serve::router(app)).call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status.as_u16(), parts.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn a_picture_is_served_with_its_age_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite"), Open::Create).unwrap();
        let uids = place::remember(&store, 2, now()).unwrap();
        let session = Session::new(Arc::new(FakeNet::new()), Signatures::builtin(), now, 16);
        let app = App::new(store.clone(), session, None);
        let memory = app.known().await.unwrap();
        let uid = &uids[1];
        let key = memory.devices[uid].streams.keys().next().unwrap();
        let stream = StreamId::of(uid, key);
        let path = format!("/api/v1/streams/{stream}/picture.jpg");
        assert_eq!(get(&app, &path, "").await.0, 404);
        assert_eq!(get(&app, "/api/v1/streams/..%2f..%2fetc/picture.jpg", "").await.0, 404);

        let (hash, at) = ("00112233445566778899aabbccddeeff".to_owned(), now() - SignedDuration::from_secs(90));
        let file = file_of(&folder_of(&store), &hash);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, JPEG).unwrap();
        let bytes = JPEG.len() as u64;
        store.put_picture(&PictureRow { stream: stream.clone(), at, hash: hash.clone(), bytes }).unwrap();
        app.news(&News::Picture(uid, key));

        let (status, headers, body) = get(&app, &path, "").await;
        assert_eq!((status, body.as_slice()), (200, JPEG));
        assert_eq!((&headers["content-type"], &headers["age"]), (&"image/jpeg".parse().unwrap(), &90.into()));
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("sandbox") && !policy.contains("script-src"), "{policy}");
        let (status, _, body) = get(&app, &path, headers["etag"].to_str().unwrap()).await;
        assert_eq!((status, body.len()), (304, 0));
        let named = get(&app, &format!("{path}?v={hash}"), "").await;
        assert!(named.1["cache-control"].to_str().unwrap().contains("immutable"));
        // The page shows it.
        let (_, _, page) = get(&app, "/", "").await;
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains(&format!("api/v1/streams/{stream}/picture.jpg?v={hash}")), "{page}");

        // What is no JPEG any more, whoever wrote it there, is none.
        for other in [b"<html><script>".as_slice(), &[JPEG, b"<script>alert(1)</script>"].concat(), &JPEG[..500]] {
            std::fs::write(&file, other).unwrap();
            assert_eq!(get(&app, &path, "").await.0, 404);
        }
    }
}

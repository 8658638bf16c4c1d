//! Style, scripts and pictures of the pages' own, in the program itself. Their path holds a digest of them all, so a browser
//! may keep them for ever and never has an old one beside a new page.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use sha2::{Digest as _, Sha256};

use crate::serve::packed::{gzip, takes_gzip};

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    gzip: Vec<u8>,
}

/// Everything, by name; scripts import each other by these names.
const FILES: [(&str, &str, &[u8]); 7] = [
    ("style.css", "text/css; charset=utf-8", include_bytes!("assets/style.css")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("assets/app.js")),
    ("live.js", "text/javascript; charset=utf-8", include_bytes!("assets/live.js")),
    ("wall.js", "text/javascript; charset=utf-8", include_bytes!("assets/wall.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
    ("icon.png", "image/png", include_bytes!("assets/icon.png")),
    ("app.webmanifest", "application/manifest+json", include_bytes!("assets/app.webmanifest")),
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, kind, bytes)| Asset { name, kind, bytes, gzip: gzip(bytes, Compression::best()) })
        .collect()
});

static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let digest = FILES.iter().fold(Sha256::new(), |digest, (_, _, bytes)| digest.chain_update(bytes)).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// The path of an asset, from the root of the pages.
pub fn path(name: &str) -> String {
    format!("assets/{}/{name}", *DIGEST)
}

/// Answers with an asset.
pub async fn asset(Path((digest, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of another version may still ask for it: what it gets must not be kept under that name.
    let kept = match digest == *DIGEST {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, kept),
        (header::VARY, "accept-encoding"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let is_smaller = asset.gzip.len() < asset.bytes.len();
    let mut response = match takes_gzip(&headers) && is_smaller {
        true => ([(header::CONTENT_ENCODING, "gzip")], asset.gzip.clone()).into_response(),
        false => asset.bytes.into_response(),
    };
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_styles_stay_small() {
        let lines = |ending: &str| -> usize {
            let of_kind = FILES.iter().filter(|(name, ..)| name.ends_with(ending));
            of_kind.map(|(.., bytes)| bytes.iter().filter(|byte| **byte == b'\n').count()).sum()
        };
        assert!(lines(".js") <= 1_500, "{}", lines(".js"));
        assert!(lines(".css") <= 800, "{}", lines(".css"));
    }

    #[test]
    fn scripts_import_only_what_there_is() {
        for (name, _, bytes) in FILES.iter().filter(|(name, ..)| name.ends_with(".js")) {
            let text = std::str::from_utf8(bytes).unwrap();
            for (_, rest) in text.match_indices("from \"").map(|(at, what)| text.split_at(at + what.len())) {
                let imported = rest.split('"').next().unwrap().trim_start_matches("./");
                assert!(FILES.iter().any(|(own, ..)| *own == imported), "{name} imports {imported}");
            }
        }
    }

    #[tokio::test]
    async fn an_asset_is_kept_under_its_own_digest_alone() {
        let get =
            async |digest: &str, name: &str| asset(Path((digest.to_owned(), name.to_owned())), HeaderMap::new()).await;
        let now = get(&DIGEST, "style.css").await;
        assert!(now.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        assert_eq!(get("0000", "style.css").await.headers()[header::CACHE_CONTROL], "no-cache");
        for name in ["", "../mod.rs", "nothing.css", "style.css/"] {
            assert_eq!(get(&DIGEST, name).await.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}

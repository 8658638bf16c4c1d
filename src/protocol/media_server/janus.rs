//! Asks Janus' streaming plugin for its public mountpoints. That takes a session, which is opened for the one question
//! and ended after it.

use serde_json::json;

use super::names;
use crate::probe::Inspection;
use crate::protocol::http::client;
use crate::protocol::http::message::Request;
use crate::wire::url::Endpoint;

/// Where its HTTP transport is by default.
const BASE: &str = "/janus";
/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// What Janus says of itself; none for what is no Janus.
pub(super) async fn info(host: &Inspection, at: Endpoint) -> Option<String> {
    let request = Request { max_body: MAX_ANSWER, ..Request::get(at, format!("{BASE}/info")) };
    let answer = client::send(&host.peer, request).await.ok().filter(|answer| answer.status == 200)?;
    names::janus_info(&answer.body)
}

/// The public mountpoints; none where there is no such plugin or it demands what was not given.
pub(super) async fn streams(host: &Inspection, at: Endpoint) -> Option<Vec<String>> {
    let transaction = format!("{:08x}", fastrand::u32(..));
    let ask = async |path: String, body: serde_json::Value| {
        let body = body.to_string().into_bytes();
        let request = Request { follow: false, ..Request::post(at, path, "application/json", body) };
        let answer = client::send(&host.peer, Request { max_body: MAX_ANSWER, ..request }).await.ok()?;
        (answer.status == 200).then_some(answer.body)
    };
    let created = ask(BASE.to_owned(), json!({"janus": "create", "transaction": transaction})).await?;
    let session = format!("{BASE}/{}", names::janus_created(&created)?);
    let listed = async {
        let attach = json!({"janus": "attach", "plugin": "janus.plugin.streaming", "transaction": transaction});
        let handle = names::janus_created(&ask(session.clone(), attach).await?)?;
        let list = json!({"janus": "message", "body": {"request": "list"}, "transaction": transaction});
        names::janus_streams(&ask(format!("{session}/{handle}"), list).await?)
    }
    .await;
    let destroyed = ask(session.clone(), json!({"janus": "destroy", "transaction": transaction})).await;
    if destroyed.is_none() {
        tracing::debug!(ip = %host.peer.ip, port = at.port, "a session of Janus could not be ended; it ends by itself after a minute");
    }
    listed
}

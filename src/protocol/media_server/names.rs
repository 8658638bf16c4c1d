//! The names in the lists of media servers. Each reader takes an answer and gives names, or nothing for what is no such
//! list: nothing else of an answer leaves this file. Pure.

use serde_json::Value;

use crate::text;
use crate::wire::xml;

/// Names taken of one list at most.
const MAX_NAMES: usize = 64;
/// The longest name taken, in bytes.
const MAX_NAME: usize = 256;

/// Reads the names out of an answer; none for what is no such list.
pub type Reader = fn(&[u8]) -> Option<Vec<String>>;

/// go2rtc, `/api/streams`: the keys of an object whose values name producers (internal/streams/api.go and stream.go at
/// dc1685e9cf7a).
pub fn go2rtc(json: &[u8]) -> Option<Vec<String>> {
    let list: Value = serde_json::from_slice(json).ok()?;
    let list = list.as_object()?;
    let fits = list.values().all(|v| v.is_null() || v.get("producers").is_some() || v.get("consumers").is_some());
    fits.then(|| names(list.keys().map(String::as_str)))
}

/// MediaMTX, `/v3/paths/list` (internal/api/api_paths.go at 3e09466c1804).
pub fn mediamtx(json: &[u8]) -> Option<Vec<String>> {
    let list: Value = serde_json::from_slice(json).ok()?;
    let items = list.get("items")?.as_array()?;
    Some(names(items.iter().filter_map(|i| i.get("name")?.as_str())))
}

/// SRS, `/api/v1/streams`: application and name of each stream (SrsStatisticStream::dumps in srs_app_statistic.cpp at
/// 00810e6d1db1).
pub fn srs(json: &[u8]) -> Option<Vec<String>> {
    let answer: Value = serde_json::from_slice(json).ok()?;
    answer.get("code")?.as_i64().filter(|code| *code == 0)?;
    let streams = answer.get("streams")?.as_array()?;
    let listed = streams.iter().filter_map(|s| {
        let text = |key| s.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        Some(format!("{}/{}", text("app")?, text("name")?))
    });
    let listed: Vec<String> = listed.collect();
    Some(names(listed.iter().map(String::as_str)))
}

/// nginx-rtmp's page of statistics: application and name of each live stream (ngx_rtmp_stat_module.c at 01c8daf4b4dd).
pub fn nginx_rtmp(page: &[u8]) -> Option<Vec<String>> {
    let document = xml::read(page);
    document.find("rtmp")?;
    let mut listed = Vec::new();
    for application in document.find_all("application") {
        let Some(app) = application.child_text("name") else { continue };
        let streams = application.child("live").into_iter().flat_map(|live| live.children_named("stream"));
        listed.extend(streams.filter_map(|s| s.child_text("name")).map(|name| format!("{app}/{name}")));
    }
    Some(names(listed.iter().map(String::as_str)))
}

/// Frigate, `/api/profile`: the cameras whoever asks may see (frigate/api/auth.py, `profile`).
pub fn frigate_profile(json: &[u8]) -> Option<Vec<String>> {
    let answer: Value = serde_json::from_slice(json).ok()?;
    let cameras = answer.get("allowed_cameras")?.as_array()?;
    Some(names(cameras.iter().filter_map(Value::as_str)))
}

/// Frigate, `/api/stats`: the cameras it counts frames of (frigate/stats/util.py). Versions before 0.17 know no profile.
pub fn frigate_stats(json: &[u8]) -> Option<Vec<String>> {
    let answer: Value = serde_json::from_slice(json).ok()?;
    answer.get("service")?.as_object()?;
    let cameras = answer.get("cameras")?.as_object()?;
    Some(names(cameras.keys().map(String::as_str)))
}

/// What Janus says of itself (`/janus/info`): name and version. None for other JSON.
pub fn janus_info(json: &[u8]) -> Option<String> {
    let info: Value = serde_json::from_slice(json).ok()?;
    if info.get("janus")?.as_str()? != "server_info" {
        return None;
    }
    let name = info.get("name").and_then(Value::as_str).unwrap_or("Janus WebRTC Server");
    Some(match info.get("version_string").and_then(Value::as_str) {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    })
}

/// The number Janus gave to what was created: a session, or its handle of a plugin.
pub fn janus_created(json: &[u8]) -> Option<u64> {
    let answer: Value = serde_json::from_slice(json).ok()?;
    answer.get("janus")?.as_str().filter(|word| *word == "success")?;
    answer.get("data")?.get("id")?.as_u64()
}

/// The mountpoints in the answer of Janus' streaming plugin to `list` (janus_streaming.c at 00ec2f08579d): the number
/// and, where there is one, the description.
pub fn janus_streams(json: &[u8]) -> Option<Vec<String>> {
    let answer: Value = serde_json::from_slice(json).ok()?;
    let data = answer.get("plugindata")?.get("data")?;
    let list = data.get("list")?.as_array()?;
    let listed = list.iter().filter_map(|mountpoint| {
        let id = match mountpoint.get("id")? {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => return None,
        };
        match mountpoint.get("description").and_then(Value::as_str).filter(|d| !d.is_empty()) {
            Some(description) => Some(format!("{id} ({description})")),
            None => Some(id),
        }
    });
    let listed: Vec<String> = listed.collect();
    Some(names(listed.iter().map(String::as_str)))
}

/// Names that can stand in an address, each once.
fn names<'a>(listed: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_name = |n: &str| !n.is_empty() && n.len() <= MAX_NAME && text::clean(n) == n;
    let mut names: Vec<String> = Vec::new();
    for name in listed.filter(|n| is_name(n)) {
        // go2rtc lists sources that were asked for by address, login and all.
        let is_address = name.contains("://") || name.contains('@');
        if !is_address && names.len() < MAX_NAMES && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const READERS: [Reader; 7] = [go2rtc, mediamtx, srs, nginx_rtmp, frigate_profile, frigate_stats, janus_streams];

    #[test]
    fn lists_of_servers() {
        let of_go2rtc = br#"{"front":{"producers":[{"url":"rtsp://u:p@10.0.0.1/"}],"consumers":null},"rtsp://u:p@h/x":{"producers":null},"b c":null}"#;
        assert_eq!(go2rtc(of_go2rtc).unwrap(), ["front", "b c"]);
        assert_eq!(go2rtc(br#"{"streams":[1,2]}"#), None);
        assert_eq!(go2rtc(b"{}").unwrap(), [""; 0]);
        let of_mediamtx =
            br#"{"itemCount":2,"pageCount":1,"items":[{"name":"cam/1","ready":true},{"name":""},{"x":1}]}"#;
        assert_eq!(mediamtx(of_mediamtx).unwrap(), ["cam/1"]);
        assert_eq!(mediamtx(b"[]"), None);
        let of_srs =
            br#"{"code":0,"server":"vid-1","streams":[{"id":"vid-2","name":"livestream","vhost":"vid-3","app":"live",
            "tcUrl":"rtmp://u:p@h/live","url":"/live/livestream"},{"name":"livestream","app":"live"},{"name":"x"}]}"#;
        assert_eq!(srs(of_srs).unwrap(), ["live/livestream"]);
        assert_eq!(srs(br#"{"code":100,"streams":[]}"#), None);
    }

    #[test]
    fn nginx_rtmp_tells_names_by_application() {
        let page = b"<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<?xml-stylesheet type=\"text/xsl\" href=\"stat.xsl\" ?>\r\n\
            <rtmp>\r\n<nginx_version>1.22.1</nginx_version><server>\r\n<application>\r\n<name>live</name>\r\n<live>\r\n\
            <stream>\r\n<name>cam</name>\r\n<client><id>1</id><address>10.0.0.5</address><flashver>FMLE</flashver>\
            <pageurl>http://u:p@h/</pageurl></client>\r\n<nclients>1</nclients></stream>\r\n<nclients>1</nclients></live>\r\n\
            </application>\r\n<application><name>vod</name></application></server></rtmp>";
        assert_eq!(nginx_rtmp(page).unwrap(), ["live/cam"]);
        assert_eq!(nginx_rtmp(b"<html><name>x</name></html>"), None);
    }

    #[test]
    fn frigate_tells_its_cameras() {
        let profile = br#"{"username":"anonymous","role":"admin","allowed_cameras":["drive","yard"]}"#;
        assert_eq!(frigate_profile(profile).unwrap(), ["drive", "yard"]);
        let stats = br#"{"cameras":{"drive":{"camera_fps":5.1}},"cpu_usages":{"7":{"cmdline":"ffmpeg -i rtsp://u:p@h"}},"service":{"version":"0.14"}}"#;
        assert_eq!(frigate_stats(stats).unwrap(), ["drive"]);
        assert_eq!(frigate_stats(br#"{"cameras":{"x":1}}"#), None);
    }

    #[test]
    fn janus_is_read() {
        let janus = br#"{"janus":"server_info","name":"Janus WebRTC Server","version":1103,"version_string":"1.1.3"}"#;
        assert_eq!(janus_info(janus).as_deref(), Some("Janus WebRTC Server 1.1.3"));
        assert_eq!(janus_info(br#"{"janus":"error"}"#), None);
        assert_eq!(janus_created(br#"{"janus":"success","transaction":"t","data":{"id":4021}}"#), Some(4021));
        let list = br#"{"janus":"success","session_id":1,"plugindata":{"plugin":"janus.plugin.streaming","data":{"streaming":"list",
            "list":[{"id":1,"description":"yard","metadata":"pw=x"},{"id":"gate"},{"description":"none"}]}}}"#;
        assert_eq!(janus_streams(list).unwrap(), ["1 (yard)", "gate"]);
    }

    /// What stands beside the names, wherever it stands, does not come along.
    #[test]
    fn nothing_but_names_is_taken() {
        let name = br#"{"cam":{"producers":[{"url":"rtsp://admin:geheim@10.0.0.9/"}]},"admin:geheim@10.0.0.9":null,
            "ffmpeg:rtsp://admin:geheim@10.0.0.9/1":{"producers":[]}}"#;
        assert_eq!(go2rtc(name).unwrap(), ["cam"]);
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(bytes: Vec<u8>, text in "[{}\\[\\]\",:a-z0-9<>/]{0,80}") {
            for read in READERS {
                for answer in [&bytes[..], text.as_bytes()] {
                    let names = read(answer).unwrap_or_default();
                    prop_assert!(names.len() <= MAX_NAMES && names.iter().all(|n| n.len() <= MAX_NAME && !n.contains("://")));
                }
            }
        }
    }
}

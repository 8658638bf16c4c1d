use super::*;

/// A server as a function of the path.
struct Server<F> {
    answer: F,
    asked: Vec<String>,
}

impl<F: FnMut(&str) -> Reply<u32> + Send> Ask for Server<F> {
    type Description = u32;

    async fn ask(&mut self, path: &str) -> Reply<u32> {
        self.asked.push(path.to_owned());
        (self.answer)(path)
    }

    async fn ask_afresh(&mut self, path: &str) -> Reply<u32> {
        self.asked.push(format!("afresh {path}"));
        (self.answer)(path)
    }
}

async fn run(
    vendor: Option<&str>,
    announced: &[&str],
    answer: impl FnMut(&str) -> Reply<u32> + Send,
) -> (Walked<u32>, Vec<String>) {
    let urls = StreamUrls::builtin();
    let candidates = urls.rtsp(vendor);
    let announced: Vec<_> = announced.iter().map(|p| ((*p).to_owned(), StreamHint::new(*p))).collect();
    let mut server = Server { answer, asked: Vec::new() };
    let known = Known {
        may_guess: true,
        earlier: &[],
        announced: &announced,
        of_vendor: candidates.iter().take_while(|c| !urls.is_common(c)).count(),
        candidates: &candidates,
        urls,
        max_asked: 100,
        max_channels: 16,
    };
    let walked = walk(&mut server, &known).await;
    (walked, server.asked)
}

fn paths(walked: &Walked<u32>) -> Vec<&str> {
    walked.found.iter().map(|f| f.path.as_str()).collect()
}

#[tokio::test]
async fn what_is_announced_is_asked_and_nothing_is_guessed() {
    let (walked, asked) = run(None, &["/a", "/b"], |p| if p == "/a" { Reply::Video(1) } else { Reply::NotFound }).await;
    assert_eq!(asked, ["/a", "/b", "afresh /b"]);
    assert_eq!(walked.found[1].reply, Reply::NotFound);
    assert_eq!(walked.nature, Nature::Unasked);
}

#[tokio::test]
async fn a_server_that_describes_any_path_has_one_stream() {
    let (walked, asked) = run(None, &[], |_| Reply::Video(1)).await;
    assert_eq!((walked.nature, paths(&walked)), (Nature::AnyPath, vec!["/"]));
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn where_the_root_alone_is_nothing_the_impossible_path_is_the_stream() {
    for root in [Reply::NotFound, Reply::NoVideo, Reply::Silence, Reply::Lost] {
        let (walked, asked) = run(None, &[], |p| if p == "/" { root.clone() } else { Reply::Video(1) }).await;
        assert_eq!(walked.nature, Nature::AnyPath, "{root:?}");
        assert_eq!((paths(&walked), &walked.found[0].reply), (vec![IMPOSSIBLE_PATH], &Reply::Video(1)), "{root:?}");
        assert_eq!(asked, [IMPOSSIBLE_PATH, "/"], "{root:?}");
    }
}

#[tokio::test]
async fn a_server_that_locks_any_path_is_a_door_and_no_more() {
    let (walked, asked) = run(None, &[], |_| Reply::Login).await;
    assert_eq!(walked.nature, Nature::LoginForAny);
    assert_eq!((paths(&walked), &walked.found[0].reply), (vec!["/"], &Reply::Login));
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn what_was_found_before_stands_behind_a_server_that_locks_any_path() {
    let mut server = Server { answer: |_: &str| Reply::Login, asked: Vec::new() };
    let earlier = ["/main".to_owned(), "/sub".to_owned()];
    let known = Known {
        may_guess: true,
        earlier: &earlier,
        announced: &[],
        of_vendor: 0,
        urls: StreamUrls::builtin(),
        candidates: &[],
        max_asked: 100,
        max_channels: 16,
    };
    let walked = walk(&mut server, &known).await;
    assert_eq!((walked.nature, paths(&walked)), (Nature::LoginForAny, vec!["/main", "/sub"]));
    assert_eq!(server.asked, [IMPOSSIBLE_PATH, "/main", "/sub"]);
}

#[tokio::test]
async fn a_locked_path_counts_where_wrong_ones_are_not_found() {
    let (walked, _) = run(None, &[], |p| if p == "/stream1" { Reply::Login } else { Reply::NotFound }).await;
    assert_eq!((walked.nature, paths(&walked)), (Nature::Honest, vec!["/stream1"]));
}

#[tokio::test]
async fn a_yes_without_a_description_is_no_stream() {
    let (walked, _) = run(None, &[], |p| if p == "/live" { Reply::Video(1) } else { Reply::NoVideo }).await;
    assert_eq!((walked.nature, paths(&walked)), (Nature::SaysYes, vec!["/live"]));
}

#[tokio::test]
async fn two_names_of_one_stream_are_one() {
    let (walked, _) = run(None, &[], |p| match p {
        "/" | "/live" => Reply::Video(1),
        "/stream1" => Reply::Video(2),
        _ => Reply::NotFound,
    })
    .await;
    assert_eq!(paths(&walked), ["/", "/stream1"]);
    assert_eq!(walked.found[0].also_at, ["/live"]);
}

#[tokio::test]
async fn a_recorders_channels_are_counted_past_a_gap_to_their_end() {
    let (walked, _) = run(Some("Hikvision"), &[], |p| {
        let channel = p.strip_prefix("/Streaming/Channels/").and_then(|c| c.parse::<u32>().ok());
        match channel.map(|c| (c / 100, c % 100)) {
            Some((1 | 2 | 4, s @ (1 | 2))) => Reply::Video(s),
            _ => Reply::NotFound,
        }
    })
    .await;
    let channels: Vec<Option<u32>> = walked.found.iter().map(|f| f.channel).collect();
    assert_eq!(channels, [Some(1), Some(1), Some(2), Some(2), Some(4), Some(4)]);
}

#[tokio::test]
async fn a_camera_that_ignores_the_channel_has_one() {
    let main = |p: &str| p.starts_with("/Streaming/Channels/") && p.ends_with("01");
    let (walked, _) = run(Some("Hikvision"), &[], |p| if main(p) { Reply::Video(1) } else { Reply::NotFound }).await;
    assert_eq!((paths(&walked), walked.found[0].channel), (vec!["/Streaming/Channels/101"], None));
}

#[tokio::test]
async fn a_path_that_hangs_is_a_stream_that_cannot_start_and_the_next_may() {
    let (walked, _) = run(None, &[], |p| match p {
        "/live" => Reply::Silence,
        "/h264" => Reply::Video(1),
        _ => Reply::NotFound,
    })
    .await;
    assert_eq!((paths(&walked), &walked.cut_short), (vec!["/live", "/h264"], &None));
    let (walked, asked) = run(None, &[], |p| if p == IMPOSSIBLE_PATH { Reply::NotFound } else { Reply::Silence }).await;
    assert_eq!((asked.len(), &walked.cut_short), (3, &Some(Reply::Silence)));
}

/// A server with its own names for the streams of one camera, each described in its own way.
#[tokio::test]
async fn a_common_path_leads_to_its_familys_other_streams() {
    for (paths_there, channels) in [
        (&["/main", "/sub", "/third"][..], None),
        (&["/stream1", "/stream2"], None),
        (&["/11", "/12"], None),
        (&["/live.sdp", "/live2.sdp"], None),
        (&["/Streaming/Channels/101", "/Streaming/Channels/102"], None),
        (
            &[
                "/Streaming/Channels/101",
                "/Streaming/Channels/102",
                "/Streaming/Channels/201",
                "/Streaming/Channels/202",
            ],
            Some(2),
        ),
    ] {
        let (walked, _) = run(None, &[], |p| {
            paths_there.iter().position(|there| *there == p).map_or(Reply::NotFound, |n| Reply::Video(n as u32))
        })
        .await;
        assert_eq!(paths(&walked), paths_there);
        assert_eq!(walked.found.last().unwrap().channel, channels, "{paths_there:?}");
    }
}

/// GStreamer's server answers 503 for a path whose pipeline cannot start, and serves the others.
#[tokio::test]
async fn a_path_that_cannot_be_served_keeps_no_other_from_being_found() {
    let (walked, _) = run(None, &[], |p| match p {
        "/live" => Reply::Busy,
        "/h264" => Reply::Video(1),
        _ => Reply::NotFound,
    })
    .await;
    assert_eq!((paths(&walked), &walked.cut_short), (vec!["/live", "/h264"], &None));
    let (walked, asked) = run(None, &[], |p| if p == IMPOSSIBLE_PATH { Reply::NotFound } else { Reply::Busy }).await;
    assert_eq!((asked.len(), &walked.cut_short), (3, &Some(Reply::Busy)));
}

#[tokio::test]
async fn a_busy_device_is_left_alone() {
    let (walked, asked) = run(None, &[], |_| Reply::Busy).await;
    assert_eq!((asked.len(), walked.cut_short), (1, Some(Reply::Busy)));
}

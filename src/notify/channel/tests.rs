use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::model::Secret;
use crate::model::notify::{Email, Exec, MailSecurity, Mqtt, Service, ServiceChannel, Syslog, SyslogAddress, Webhook};
use crate::net::{Datagrams as _, UdpBind};
use crate::notify::compose::test_message;

/// In every secret of every channel.
const TOKEN: &str = "s3cr3t-t0k3n";

/// A server that sends back whatever it gets, with this status line.
async fn echo(status: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = vec![0; 8192];
                // Who waits for a greeting gets one.
                let read = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut bytes)).await;
                let read = read.ok().and_then(Result::ok).unwrap_or(0);
                let head = format!("HTTP/1.1 {status}\r\nlocation: /x\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(&[head.as_bytes(), &bytes[..read]].concat()).await;
            });
        }
    });
    port
}

/// A channel of every kind that reaches for a port of this machine.
fn every_channel(port: u16) -> Vec<Channel> {
    let secret = |text: String| Secret::new(text);
    let mut all: Vec<ChannelWay> = Service::ALL
        .into_iter()
        .map(|service| {
            ChannelWay::Service(ServiceChannel {
                service,
                url: secret(format!("http://user:{TOKEN}@127.0.0.1:{port}/hooks/{TOKEN}?sig={TOKEN}")),
                to: "topic".to_owned(),
                token: Some(secret(TOKEN.to_owned())),
                urls: Some(secret(format!("tgram://{TOKEN}/1"))),
            })
        })
        .collect();
    let key = format!("whsec_{}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, TOKEN.repeat(3)));
    all.push(ChannelWay::Webhook(Webhook {
        url: secret(format!("http://127.0.0.1:{port}/{TOKEN}")),
        secrets: vec![secret(key)],
        headers: vec![("authorization".to_owned(), secret(format!("Bearer {TOKEN}")))],
    }));
    all.push(ChannelWay::Mqtt(Mqtt {
        host: "127.0.0.1".to_owned(),
        port,
        tls: false,
        ca: None,
        user: Some("cams".to_owned()),
        password: Some(secret(TOKEN.to_owned())),
        topic: "camscan".to_owned(),
        discovery: None,
    }));
    all.push(ChannelWay::Email(Email {
        host: "127.0.0.1".to_owned(),
        port,
        security: MailSecurity::None,
        ca: None,
        user: Some("cams".to_owned()),
        password: Some(secret(TOKEN.to_owned())),
        from: "cams@example.org".to_owned(),
        to: vec!["ops@example.org".to_owned()],
    }));
    all.push(ChannelWay::Syslog(Syslog { to: SyslogAddress::Tcp("127.0.0.1".to_owned(), port), facility: 3 }));
    all.push(ChannelWay::Exec(Exec { program: "camscan-no-such-program".to_owned(), arguments: Vec::new() }));
    all.into_iter().map(|way| Channel { name: way.kind().to_owned(), way }).collect()
}

async fn outcomes(port: u16) -> Vec<(String, Outcome)> {
    let notifications = Notifications { channels: every_channel(port), ..Notifications::default() };
    let channels = Arc::new(Channels::open(&notifications, "test"));
    let message = test_message("msg_1", "2026-03-01T10:00:00Z".parse().unwrap());
    let tries = channels.names().map(|name| {
        let (channels, message, name) = (&channels, &message, name.to_owned());
        async move {
            let outcome = tokio::time::timeout(Duration::from_secs(70), channels.deliver(&name, message)).await;
            (name, outcome.unwrap())
        }
    });
    futures::future::join_all(tries).await
}

#[tokio::test]
async fn no_secret_stands_in_what_is_reported() {
    for status in ["400 Bad Request", "500 Internal Server Error", "302 Found", "410 Gone", "200 OK"] {
        for (name, outcome) in outcomes(echo(status).await).await {
            let said = format!("{outcome:?}");
            assert!(!said.contains(TOKEN) && !said.contains("czNjcjN0"), "{name} on {status}: {said}");
            let is_http = !["mqtt", "email", "syslog", "exec"].contains(&name.as_str());
            let expected = match &status[..3] {
                "400" | "302" => "Dead",
                "500" => "Retry",
                "410" => "ChannelOff",
                _ => "Done",
            };
            assert!(!is_http || said.starts_with(expected), "{name} on {status}: {said}");
        }
    }
}

/// What is reported where a receiver with this answer is asked. `way` makes a channel for a port.
async fn said_of(way: impl FnOnce(u16) -> ChannelWay, answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = Channel { name: "a".to_owned(), way: way(listener.local_addr().unwrap().port()) };
    let receiver = async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if stream.write_all(&answer("")).await.is_err() {
                continue;
            }
            let mut bytes = vec![0; 8192];
            while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                let said = answer(&String::from_utf8_lossy(&bytes[..read]));
                let is_web = said.starts_with(b"HTTP");
                if stream.write_all(&said).await.is_err() || is_web {
                    break;
                }
            }
        }
    };
    let channels = Channels::open(&Notifications { channels: vec![channel], ..Notifications::default() }, "test");
    let message = test_message("msg_1", "2026-03-01T10:00:00Z".parse().unwrap());
    let outcome = tokio::select! {
        outcome = channels.deliver("a", &message) => outcome,
        () = receiver => panic!("the receiver ended"),
    };
    format!("{outcome:?}")
}

fn base64(text: &str) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text)
}

/// A receiver of webhooks that says this of every request.
fn web(body: String) -> impl Fn(&str) -> Vec<u8> + Send + 'static {
    move |asked| match asked {
        "" => Vec::new(),
        _ => format!("HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n{body}").into_bytes(),
    }
}

fn webhook(port: u16, login: &str, header: &str, secrets: Vec<Secret>) -> ChannelWay {
    let headers = vec![("authorization".to_owned(), Secret::new(header.to_owned()))];
    ChannelWay::Webhook(Webhook { url: Secret::new(format!("http://{login}127.0.0.1:{port}/")), secrets, headers })
}

#[tokio::test]
async fn a_part_of_a_secret_that_a_receiver_names_is_hidden() {
    let basic = format!("Basic {}", base64(&format!("cams:{TOKEN}")));
    let key = base64(&TOKEN.repeat(3));
    for (login, header, body) in [
        ("", format!("Bearer {TOKEN}"), format!("bad token {TOKEN}")),
        ("", format!("Bearer {TOKEN}"), format!("bad token {}", TOKEN.replace('-', "%2D"))),
        ("", "Bearer t0k".to_owned(), "bad token 't0k'".to_owned()),
        ("", format!("ApiKey id=cams, key=\"{TOKEN}\""), format!("bad key {TOKEN}")),
        ("", basic.clone(), format!("bad login cams:{TOKEN}")),
        ("", basic.clone(), format!("bad password {TOKEN}")),
        ("", basic.clone(), basic.trim_start_matches("Basic ").trim_end_matches('=').to_owned()),
        ("cams:s3cr3t%2Dt0k3n@", "Bearer x".to_owned(), basic.clone()),
        ("cams:s3cr3t%2Dt0k3n@", "Bearer x".to_owned(), format!("bad password {TOKEN}")),
        ("", "Bearer x".to_owned(), format!("not signed with {key}")),
    ] {
        let secrets = vec![Secret::new(format!("whsec_{key}"))];
        let said = said_of(|port| webhook(port, login, &header, secrets), web(body.clone())).await;
        let shown = [TOKEN, "t0k", "%2Dt0k3n", basic.trim_start_matches("Basic ").trim_end_matches('='), key.as_str()];
        assert!(said.contains("***") && !shown.iter().any(|secret| said.contains(secret)), "{body}: {said}");
    }
}

#[tokio::test]
async fn an_address_that_apprise_sends_to_is_hidden_in_each_of_its_parts() {
    let apprise = |port| {
        ChannelWay::Service(ServiceChannel {
            service: Service::Apprise,
            url: Secret::new(format!("http://127.0.0.1:{port}/notify")),
            to: String::new(),
            token: None,
            urls: Some(Secret::new(format!(
                "json://127.0.0.1/a, tgram://{TOKEN}/1234, slack://b0t@T1JJ3T3L2/A1BRTD4JD"
            ))),
        })
    };
    for part in [TOKEN, "T1JJ3T3L2", "A1BRTD4JD"] {
        let said = said_of(apprise, web(format!("no such bot: {part}"))).await;
        assert!(said.contains("***") && !said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn a_secret_at_which_an_answer_is_cut_is_hidden() {
    let header = format!("Bearer {TOKEN}");
    // Where the shown part of a body ended, where an answer ends, and where its reading ends behind blanks.
    let places =
        [130..160, 270..310].into_iter().flatten().map(|place| "x ".repeat(place / 2) + &"y".repeat(place % 2));
    let places = places.chain((1..TOKEN.len()).map(|read| " ".repeat((16 << 10) - read)));
    for before in places {
        let said = said_of(|port| webhook(port, "", &header, vec![]), web(format!("{before}{TOKEN} end"))).await;
        assert!(!said.contains("s3cr"), "{} characters before it: {said}", before.len());
    }
}

#[tokio::test]
async fn what_a_mail_server_quotes_of_a_login_is_hidden() {
    for password in [TOKEN, "t0k3"] {
        let email = |port| {
            ChannelWay::Email(Email {
                host: "127.0.0.1".to_owned(),
                port,
                security: MailSecurity::None,
                ca: None,
                user: Some("cams".to_owned()),
                password: Some(Secret::new(password.to_owned())),
                from: "cams@example.org".to_owned(),
                to: vec!["ops@example.org".to_owned()],
            })
        };
        let plain = base64(&format!("\0cams\0{password}"));
        for mechanism in ["PLAIN", "LOGIN"] {
            let server = move |asked: &str| match asked {
                "" => b"220 mail\r\n".to_vec(),
                asked if asked.starts_with("EHLO") => format!("250-mail\r\n250 AUTH {mechanism}\r\n").into_bytes(),
                "AUTH LOGIN\r\n" => b"334 VXNlcm5hbWU6\r\n".to_vec(),
                "Y2Ftcw==\r\n" => b"334 UGFzc3dvcmQ6\r\n".to_vec(),
                asked => format!("535 5.7.8 not taken: {asked}").into_bytes(),
            };
            let said = said_of(email, server).await;
            let shown =
                [plain.trim_end_matches('='), base64(password).trim_end_matches('='), password].map(str::to_owned);
            assert!(said.contains("not taken: "), "{said}");
            assert!(!shown.iter().any(|secret| said.contains(secret)), "{mechanism}: {said}");
        }
    }
}

#[tokio::test]
async fn where_nobody_listens_it_is_tried_again_and_no_secret_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for (name, outcome) in outcomes(port).await {
        let said = format!("{outcome:?}");
        assert!(said.starts_with("Retry") && !said.contains(TOKEN), "{name}: {said}");
    }
}

#[test]
fn what_is_configured_shows_no_secret() {
    assert!(!format!("{:?}", every_channel(1)).contains(TOKEN));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    });
    let webhook = Webhook { url: Secret::new(format!("http://127.0.0.1:{port}/")), secrets: vec![], headers: vec![] };
    let channel = Channel { name: "a".to_owned(), way: ChannelWay::Webhook(webhook) };
    let channels = Channels::open(&Notifications { channels: vec![channel], ..Notifications::default() }, "test");
    let message = test_message("msg_1", "2026-03-01T10:00:00Z".parse().unwrap());
    let outcome = channels.deliver("a", &message).await;
    let Outcome::Done { answer } = outcome else { panic!("{outcome:?}") };
    assert!(answer.chars().count() <= ANSWER + 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_gets_the_message_on_its_standard_input_and_nothing_else() {
    let run = async |script: &str| {
        let exec = Exec { program: "sh".to_owned(), arguments: vec!["-c".to_owned(), script.to_owned()] };
        exec::send(&exec, &test_message("msg_1", "2026-03-01T10:00:00Z".parse().unwrap())).await
    };
    let Outcome::Done { answer } = run("cat").await else { panic!("not taken") };
    assert!(answer.contains(r#""type":"test""#) && answer.starts_with("exit status 0"), "{answer}");
    let Outcome::Done { answer } = run("cat > /dev/null; echo ${CARGO_MANIFEST_DIR:-empty}").await else { panic!() };
    assert_eq!(answer, "exit status 0: empty");
    assert_eq!(run("echo no >&2; exit 65").await, Outcome::dead("it refuses the message (exit status 65): no"));
    assert_eq!(run("exit 7").await, Outcome::retry("exit status 7"));
}

/// Its outcome is its exit status: it neither dies of what it prints nor counts as failed for what it does with its outputs.
#[cfg(unix)]
#[tokio::test]
async fn a_program_that_ends_well_is_done_whatever_it_does_with_its_outputs() {
    let folder = tempfile::tempdir().unwrap();
    for (nth, (script, said)) in [
        ("head -c 300000 /dev/zero | tr '\\0' x", "x"),
        ("head -c 300000 /dev/zero | tr '\\0' x >&2", "x"),
        ("exec >&- 2>&-; sleep 2", ""),
        ("echo left one behind; sleep 1000 & echo $! >&3", "left one behind"),
    ]
    .into_iter()
    .enumerate()
    {
        let (acted, pid) = (folder.path().join(format!("acted{nth}")), folder.path().join("pid"));
        let script =
            format!("exec 3>'{}'; cat > /dev/null; {script}; echo acted >> '{}'", pid.display(), acted.display());
        let exec = Exec { program: "sh".to_owned(), arguments: vec!["-c".to_owned(), script.clone()] };
        let outcome = exec::send(&exec, &test_message("msg_1", "2026-03-01T10:00:00Z".parse().unwrap())).await;
        let Outcome::Done { answer } = outcome else { panic!("{script}: {outcome:?}") };
        assert!(answer.strip_prefix("exit status 0").is_some_and(|rest| rest.contains(said)), "{script}: {answer}");
        assert_eq!(std::fs::read_to_string(&acted).unwrap(), "acted\n");
        if let Ok(pid) = std::fs::read_to_string(&pid).unwrap().trim().parse() {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn syslog_goes_out_by_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let unix = tokio::net::UnixDatagram::bind(&path).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let message = test_message("msg_1", "2026-03-01T10:00:00Z".parse().unwrap());
    let net = RealNet::new();
    let udp = net.udp(&UdpBind::any_port([127, 0, 0, 1].into())).unwrap();
    let send = async |to| syslog::send(net.as_ref(), &Syslog { to, facility: 16 }, &message).await;
    let sent = [
        send(SyslogAddress::Unix(path)).await,
        send(SyslogAddress::Tcp("127.0.0.1".to_owned(), tcp.local_addr().unwrap().port())).await,
        send(SyslogAddress::Udp("127.0.0.1".to_owned(), udp.local_addr().unwrap().port())).await,
    ];
    assert!(sent.iter().all(|outcome| matches!(outcome, Outcome::Done { .. })), "{sent:?}");
    let mut bytes = vec![0; 4096];
    let read = unix.recv(&mut bytes).await.unwrap();
    let by_unix = String::from_utf8(bytes[..read].to_vec()).unwrap();
    assert!(by_unix.starts_with("<134>1 2026-03-01T10:00:00.000Z "), "{by_unix}");
    let (read, _) = udp.recv_from(&mut bytes).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes[..read]), by_unix);
    let mut by_tcp = String::new();
    tcp.accept().await.unwrap().0.read_to_string(&mut by_tcp).await.unwrap();
    assert_eq!(by_tcp, format!("{} {by_unix}", by_unix.len()));
}

//! From a recording to a kit's bytes: what stands in them, and what is said from them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::anonymise::Known;
use super::answer::rtmp::{Act, Client, Told};
use super::answer::{Local, Player};
use super::format::{self, FILL, Kit};
use crate::model::recording::{Connected, Outcome, Packet, Part, Recording, Side};
use crate::protocol::rtmp::amf::Value;
use crate::protocol::rtmp::wire::{BLOCK, Message, Reader, kind};

const DEVICE: [u8; 4] = [192, 168, 77, 20];

/// A connection to the device, on which these were said one after the other.
fn connection(port: u16, parts: Vec<(Side, Vec<u8>)>, closed: Option<Side>) -> Connected {
    let at = |number: usize| Duration::from_millis(40 * number as u64);
    let end = at(parts.len());
    let parts = parts.into_iter().enumerate().map(|(n, (from, bytes))| Part { at: at(n), from, bytes }).collect();
    let to = (IpAddr::from(DEVICE), port).into();
    let closed = closed.map(|side| (end, side));
    Connected { to, outcome: Outcome::Open, parts, opened: Duration::ZERO, closed, tls: None }
}

fn command(values: &[Value]) -> Vec<u8> {
    Message::command(0, values).emit()
}

fn connect(app: &str) -> Vec<u8> {
    let fields = Value::Object(vec![("app".to_owned(), Value::text(app))]);
    command(&[Value::text("connect"), Value::Number(1.0), fields])
}

fn play(name: &str) -> Vec<u8> {
    command(&[Value::text("play"), Value::Number(0.0), Value::Null, Value::text(name)])
}

/// A frame of H.264 in a message: its tag, and a NAL unit with its length.
fn frame(timestamp_ms: u32, first: u8) -> Message {
    let nal = [&[if first == 0x17 { 0x65 } else { 0x41 }][..], &[0x88; 60]].concat();
    let body = [&[first, 1, 0, 0, 0][..], &(nal.len() as u32).to_be_bytes(), &nal].concat();
    Message { kind: kind::VIDEO, timestamp_ms, stream: 1, body }
}

/// Asks a server for the stream `garden` of the application `live`, and for one that it does not have.
fn rtmp() -> Recording {
    use Side::{Device, Scanner};
    let hello = || [&[3u8][..], &[0; BLOCK]].concat();
    let answer = || [&[3u8][..], &[0; 2 * BLOCK]].concat();
    let welcome = command(&[
        Value::text("_result"),
        Value::Number(1.0),
        Value::Object(vec![("hostname".to_owned(), Value::text("smithhouse"))]),
        Value::Object(vec![("description".to_owned(), Value::text("rtmp://192.168.77.20/live of smithhouse"))]),
    ]);
    let created = command(&[Value::text("_result"), Value::Number(2.0), Value::Null, Value::Number(1.0)]);
    let pictures = [frame(1000, 0x17), frame(1040, 0x27), frame(1080, 0x27)].map(|message| message.emit());
    let [key, second, third] = pictures;
    let played = connection(
        1935,
        vec![
            (Scanner, hello()),
            (Device, answer()),
            (Scanner, vec![0; BLOCK]),
            (Scanner, connect("live")),
            (Device, [Message::control(kind::WINDOW_SIZE, 5_000_000).emit(), welcome].concat()),
            (Scanner, command(&[Value::text("createStream"), Value::Number(2.0), Value::Null])),
            (Device, created),
            (Scanner, play("garden")),
            (Device, key),
            (Device, [second, third].concat()),
        ],
        Some(Scanner),
    );
    let refused = connection(
        1935,
        vec![(Scanner, hello()), (Device, answer()), (Scanner, vec![0; BLOCK]), (Scanner, connect("attic"))],
        Some(Device),
    );
    Recording { connections: vec![played, refused], ..Recording::default() }
}

/// What a client is told.
fn told(acts: Vec<Act>) -> Vec<Told> {
    acts.into_iter().filter_map(|act| if let Act::Say(told) = act { Some(told) } else { None }).collect()
}

fn messages(told: &Told, count: usize) -> Vec<(u64, Message)> {
    let mut reader = Reader::default();
    let sent = (0..count).map_while(|number| told.message(number));
    let mut messages = Vec::new();
    for (at, bytes) in sent {
        reader.push(&bytes);
        while let Some(message) = reader.next_message().unwrap() {
            messages.push((u64::try_from(at.as_millis()).unwrap(), message));
        }
    }
    messages
}

#[test]
fn rtmp_is_played_again_without_end_and_without_its_picture() {
    let (kit, _) = super::make(&rtmp(), &Known::of(DEVICE.into()), 0);
    let kit = format::read(&format::write(&kit).unwrap()).unwrap();
    let text = words_of(&kit);
    assert!(!text.contains("smithhouse") && !text.contains("192.168.77"), "{text}");
    let local = Local { ip: [127, 83, 0, 1].into(), ports: vec![(1935, 21935)] };
    let mut player = Player::new(kit, local);
    assert!(player.speaks_rtmp(1935) && !player.speaks_rtmp(554));

    let mut client = Client::new(1935);
    // Byte by byte, as it may come.
    let hello = [&[3u8][..], &[7; BLOCK]].concat();
    let shaken: Vec<Act> = hello.iter().flat_map(|byte| client.take(&mut player, &[*byte])).collect();
    let [Act::Shake(answer)] = &shaken[..] else { panic!("{shaken:?}") };
    assert_eq!((answer.len(), answer[1 + BLOCK..] == hello[1..]), (1 + 2 * BLOCK, true));
    let connected = told(client.take(&mut player, &[vec![0; BLOCK], connect("live")].concat()));
    let welcome = &messages(&connected[0], 9)[1].1;
    let description = welcome.values()[3].get("description").and_then(Value::as_text).unwrap().to_owned();
    assert!(description.starts_with("rtmp://127.83.0.1/live of "), "{description}");

    // An answer has the number of what it answers.
    let created = told(client.take(&mut player, &command(&[Value::text("createStream"), Value::Number(44.0)])));
    assert_eq!(messages(&created[0], 9)[0].1.values()[1], Value::Number(44.0));
    let playing = told(client.take(&mut player, &play("garden")));
    assert!(playing[0].is_stream && !playing[0].closes);
    let pictures = messages(&playing[0], 7);
    let times: Vec<u32> = pictures.iter().map(|(_, message)| message.timestamp_ms).collect();
    assert_eq!(times[..4], [1000, 1040, 1080, times[3]]);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]) && pictures.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    let body = &pictures[0].1.body;
    assert_eq!((body.len(), &body[..11]), (frame(0, 0x17).body.len(), &frame(0, 0x17).body[..11]));
    assert!(body[16..].iter().all(|byte| *byte == FILL), "{body:?}");

    assert!(told(client.take(&mut player, &play("cellar"))).is_empty(), "nobody ever asked for that");
    let mut other = Client::new(1935);
    let refused = told(other.take(&mut player, &[hello, vec![0; BLOCK], connect("attic")].concat()));
    assert!(refused[0].closes && refused[0].message(0).is_none());
    assert!(matches!(other.take(&mut player, &[0xff; 64])[..], [Act::Leave]));
    assert!(matches!(Client::new(1935).take(&mut player, &[6; 1 + BLOCK])[..], [Act::Leave]));
}

#[test]
fn what_is_asked_in_other_protocols_is_answered_by_what_came() {
    use Side::{Device, Scanner};
    let ask = |number: u8| [&b"\x00\x01\x00\x00\x21\x12\xa4\x42"[..], &[number; 12]].concat();
    let answer = |number: u8| [&b"\x01\x01\x00\x00\x21\x12\xa4\x42"[..], &[number; 12]].concat();
    let parts = vec![(Scanner, ask(1)[..5].to_vec()), (Scanner, ask(1)[5..].to_vec()), (Device, answer(1))];
    let recording = Recording { connections: vec![connection(3478, parts, None)], ..Recording::default() };
    let (kit, _) = super::make(&recording, &Known::of(DEVICE.into()), 0);
    assert_eq!(kit.manifest.notes, [""; 0]);
    let local = Local { ip: [127, 83, 0, 1].into(), ports: vec![(3478, 3478)] };
    let said: Vec<Vec<u8>> = Player::new(kit, local).turn(3478, &ask(9)).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(said, [answer(9)]);
}

#[test]
fn a_question_that_is_repeated_is_one_question() {
    let packet = |at, from, bytes: &[u8]| Packet {
        at: Duration::from_millis(at),
        from,
        local_port: 5000,
        peer: (IpAddr::from(DEVICE), 1900).into(),
        bytes: bytes.to_vec(),
    };
    use Side::{Device, Scanner};
    let datagrams = vec![
        packet(0, Scanner, b"who is there"),
        packet(10, Device, b"a camera"),
        packet(20, Scanner, b"who is there"),
        packet(30, Device, b"a camera"),
        packet(40, Device, b"a recorder"),
        packet(50, Scanner, b"anybody else"),
        packet(60, Device, b"a door"),
    ];
    let (kit, _) = super::make(&Recording { datagrams, ..Recording::default() }, &Known::of(DEVICE.into()), 0);
    let answers: Vec<Vec<(u64, usize)>> = kit.udp[0]
        .questions
        .iter()
        .map(|q| q.answers.iter().map(|answer| (answer.after_ms, answer.bytes.0.len())).collect())
        .collect();
    assert_eq!(answers, [vec![(10, 8), (40, 10)], vec![(10, 6)]]);
}

/// Everything in a kit as text: its files, and what stands in them encoded.
fn words_of(kit: &Kit) -> String {
    let mut all = format::write(kit).unwrap();
    let mut add = |bytes: &[u8]| {
        all.push(b'\n');
        all.extend_from_slice(bytes);
    };
    for port in &kit.tcp {
        for exchange in &port.exchanges {
            add(exchange.ask.target.as_bytes());
            add(exchange.ask.body.as_ref().map_or(&[], |body| &body.0));
            if let Some(answer) = &exchange.answer {
                add(&answer.head.0);
                add(&answer.body.iter().flat_map(|piece| piece.bytes.0.clone()).collect::<Vec<_>>());
            }
            exchange.media.iter().for_each(|frame| add(&frame.bytes.0));
            exchange.messages.iter().for_each(|message| add(&message.bytes.0));
        }
    }
    let questions = kit.tcp.iter().map(|port| &port.questions).chain(kit.udp.iter().map(|port| &port.questions));
    for question in questions.flatten() {
        add(&question.ask.0);
        question.answers.iter().for_each(|answer| add(&answer.bytes.0));
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// How a secret is written here and there.
fn written(secret: &str) -> Vec<String> {
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let xml = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let json = serde_json::Value::from(secret).to_string();
    let ascii = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    vec![
        secret.to_owned(),
        percent.clone(),
        xml.clone(),
        xml.replace('"', "&quot;").replace('\'', "&#39;"),
        json[1..json.len() - 1].to_owned(),
        json[1..json.len() - 1].chars().map(ascii).collect(),
        STANDARD.encode(secret),
        hex(secret),
        hex(secret).to_uppercase(),
    ]
}

/// What a device may say in which somebody's secrets stand: each form of each of them in each of these places.
fn conversation(secrets: &[String], user: &str, password: &str) -> Recording {
    use Side::{Device, Scanner};
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let basic = STANDARD.encode(format!("{user}:{password}"));
    let forms: BTreeSet<String> = secrets.iter().flat_map(|secret| written(secret)).collect();
    let mut parts = Vec::new();
    let mut say = |target: &str, kind: &str, body: String| {
        // In a target and a header nothing stands that ends them.
        let ask = format!(
            "GET {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Digest username=\"{user}\", realm=\"r\", \
             nonce=\"n\", uri=\"/\", response=\"0\"\r\n\r\n"
        );
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nX-Forwarded-Authorization: Basic {basic}\r\n\
             X-Login: Digest username=\"{user}\"\r\nLocation: http://{}:{}@{}/\r\nContent-Length: {}\r\n\r\n{body}",
            encoded(user),
            encoded(password),
            IpAddr::from(DEVICE),
            body.len()
        );
        parts.extend([(Scanner, ask.into_bytes()), (Device, answer.into_bytes())]);
    };
    for secret in secrets {
        say(&format!("/s?x={}", encoded(secret)), "text/plain", String::new());
    }
    let each = |write: &dyn Fn(&str) -> String| forms.iter().map(|form| write(form)).collect::<String>();
    say("/a", "text/plain", each(&|form| format!("x={form}\nnext \"{form}\" end\n")));
    let page = each(&|form| format!("<p>{form}</p><a href=\"http://h/?q={form}&r\">{form}</a>\n"));
    say("/b", "text/html", format!("<html>{page}</html>"));
    let values = each(&|form| format!("\"{form}\", \"v {form} w\", "));
    say("/c", "application/json", format!("{{\"x\": [{values} 1]}}"));
    say("/d", "application/octet-stream", each(&|form| format!("\0\0\0 {form} \0")));
    let urls = [password, user].map(encoded);
    say(
        &format!("/e?user={}&pwd={}", urls[1], urls[0]),
        "text/xml",
        format!("<a u='rtsp://{}:{}@h/'/>", urls[1], urls[0]),
    );
    let message = |text: &str| {
        let fields = Value::Object(vec![("note".to_owned(), Value::text(text))]);
        Message { kind: kind::DATA, ..Message::command(1, &[Value::text("onMetaData"), fields]) }.emit()
    };
    let mut rtmp = rtmp();
    rtmp.connections[0].parts.extend(forms.iter().map(|form| Part {
        at: Duration::from_secs(1),
        from: Device,
        bytes: message(form),
    }));
    rtmp.connections.push(connection(80, parts, None));
    rtmp
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_secret_stands_in_a_kit_however_it_is_written(
        name in "[A-Z][a-z]{4,8}[0-9]{2} [A-ZÄÖ][a-zäöüß]{5,9}",
        serial in "[A-Z]{3}[0-9]{3}[A-Z0-9]{6}",
        user in "[a-z]{3}\\.[a-z]{5}[0-9]{2}",
        password in "[a-z]{2}[0-9]{4}[A-Za-z0-9@:%/#{}$^ &<>\"'äß+?=]{1,12}[a-z0-9]{1,3}",
        mac in any::<[u8; 3]>(),
    ) {
        let [a, b, c] = mac;
        let mac = format!("44:19:b6:{a:02x}:{b:02x}:{c:02x}");
        let macs = [mac.clone(), mac.to_uppercase(), mac.replace(':', "-"), mac.replace(':', "")];
        let secrets: Vec<String> = [&name, &serial, &user, &password].into_iter().cloned()
            .chain(macs.clone()).chain([IpAddr::from(DEVICE).to_string()]).collect();
        let known = Known {
            macs: vec![mac.parse().unwrap()],
            serials: vec![serial.clone()],
            names: vec![name.clone()],
            logins: vec![(user.clone(), password.clone())],
            ..Known::of(DEVICE.into())
        };
        let (kit, _) = super::make(&conversation(&secrets, &user, &password), &known, 0);
        let text = words_of(&kit);
        let words = name.split(' ').chain(user.split('.').filter(|word| word.len() > 3)).map(str::to_owned);
        let basic = STANDARD.encode(format!("{user}:{password}"));
        for gone in secrets.iter().flat_map(|secret| written(secret)).chain(words).chain([basic]) {
            if let Some(at) = text.find(&gone) {
                let start = text.floor_char_boundary(at.saturating_sub(60));
                let end = text.ceil_char_boundary((at + gone.len() + 20).min(text.len()));
                prop_assert!(false, "{gone} is in: {}", &text[start..end]);
            }
        }
    }
}

/// An answer as long as an input of the fuzz target, which a device fills with what takes long to be read.
#[test]
fn a_hostile_answer_becomes_a_kit_in_a_few_steps() {
    let requests =
        [(80, "GET / HTTP/1.1\r\n\r\n"), (554, "DESCRIBE rtsp://192.168.77.20/ RTSP/1.0\r\nCSeq: 1\r\n\r\n")];
    let logins = vec![("viewer".to_owned(), "tiefer Brunnen/7".to_owned())];
    let known = Known { logins, ..Known::of(DEVICE.into()) };
    for unit in ["%3D", "\\u0025", "&#x25;", "\\", "dGll", "a=", "tiefer%20Brunnen%2F7"] {
        for head in ["", "HTTP/1.1 200 OK\r\n\r\n", "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: "] {
            let said = format!("{head}{}", unit.repeat((64 << 10) / unit.len()));
            let answered = |(port, request): (u16, &str)| {
                let parts = vec![(Side::Scanner, request.into()), (Side::Device, said.clone().into())];
                connection(port, parts, None)
            };
            let recording = Recording { connections: requests.map(answered).to_vec(), ..Recording::default() };
            let looks = crate::text::steps::seen_by(|| super::make(&recording, &known, 0)) / said.len();
            assert!(looks <= 1024, "{looks} looks at each byte of {unit:?} repeated after {head:?}");
        }
    }
}

//! From the bytes of connections to requests and their answers, with pictures and sound taken out.

mod flow;
mod request;
mod response;
pub mod rtmp;
mod sessions;
mod streams;
mod turns;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::format::{Blob, Certificate, Exchange, Kit, Question, TcpPort, Timed, UdpPort};
use crate::model::recording::{Connected, Outcome, Packet, Recording, Side};
use flow::{Flow, ms};
pub use request::{Next, Request, next, target_of};
pub use sessions::is_offer;
use streams::Playing;

/// The most packets kept of one stream that plays.
const MOST_FRAMES: usize = 12_000;
/// The most questions kept of one port's other protocols.
const MOST_QUESTIONS: usize = 2_000;

/// Reads what was recorded of a device. `started_at` is when, in seconds since 1970. Nothing in it is anonymous yet, but
/// that pictures and sound are gone from it, and logins.
pub fn read(recording: &Recording, started_at: i64) -> Kit {
    let mut ports: BTreeMap<u16, TcpPort> = BTreeMap::new();
    let open = recording.connections.iter().filter(|c| c.outcome == Outcome::Open);
    for connection in open {
        let port = ports
            .entry(connection.to.port())
            .or_insert_with(|| TcpPort { port: connection.to.port(), ..TcpPort::default() });
        note(port, connection, recording, started_at);
    }
    let mut kit = Kit { tcp: ports.into_values().collect(), ..Kit::default() };
    let media = media_ports(recording);
    kit.udp = questions(recording, &media);
    kit.manifest.notes = notes(recording, &kit);
    kit
}

fn note(port: &mut TcpPort, connection: &Connected, recording: &Recording, started_at: i64) {
    if let Some(handshake) = connection.tls.as_ref().filter(|handshake| handshake.is_done) {
        port.tls.get_or_insert_with(|| Certificate {
            subject: handshake.subject.clone().unwrap_or_default(),
            names: handshake.names.clone(),
            not_after: handshake.not_after.unwrap_or_default(),
        });
    }
    let (asked, said) = (Flow::of(&connection.parts, Side::Scanner), Flow::of(&connection.parts, Side::Device));
    match request::all(&asked) {
        Some(requests) => port.exchanges.extend(exchanges(&requests, &said, connection, recording, started_at)),
        None => match rtmp::exchanges(connection) {
            Some(exchanges) => port.exchanges.extend(exchanges),
            None => {
                port.closes |= connection.closed.is_some_and(|(_, by)| by == Side::Device);
                let turns = turns::of(connection);
                port.questions.extend(turns);
                port.questions.truncate(MOST_QUESTIONS);
            }
        },
    }
}

fn exchanges(
    requests: &[(Duration, Request)],
    said: &Flow,
    connection: &Connected,
    recording: &Recording,
    started_at: i64,
) -> Vec<Exchange> {
    let ended = connection.closed.filter(|(_, by)| *by == Side::Device).map(|(at, _)| at);
    let mut playing = Playing::new(&recording.datagrams);
    let mut reader = response::Reader::new(said, ended.is_some());
    let mut exchanges: Vec<Exchange> = Vec::new();
    for (number, (sent, request)) in requests.iter().enumerate() {
        let until = requests.get(number + 1).map(|(next, _)| *next);
        let answered = reader.answer(request, *sent, until);
        let mut exchange = Exchange::of(request.ask.clone());
        if let Some(mut answered) = answered {
            playing.frames(answered.frames, &mut exchanges);
            let moment = connection_time(started_at, answered.at);
            answered.answer.at = moment;
            playing.note(request, &answered.answer, answered.at, exchanges.len());
            exchange.answer = Some(answered.answer);
        }
        exchanges.push(exchange);
    }
    playing.frames(reader.rest(), &mut exchanges);
    playing.datagrams(connection.closed.map(|(at, _)| at), &mut exchanges);
    if let Some(last) = exchanges.last_mut() {
        last.closes = ended.is_some() && last.media.is_empty();
    }
    for exchange in &mut exchanges {
        exchange.media.truncate(MOST_FRAMES);
    }
    playing.blank(&mut exchanges);
    exchanges.iter_mut().for_each(|exchange| sessions::note(exchange, &recording.sessions));
    exchanges
}

/// The second since 1970 of a moment of the recording.
fn connection_time(started_at: i64, at: Duration) -> i64 {
    started_at.saturating_add(i64::try_from(at.as_secs()).unwrap_or(0))
}

/// The ports of this machine on which streams arrived, which are no questions.
fn media_ports(recording: &Recording) -> Vec<u16> {
    let mut ports = Vec::new();
    for connection in &recording.connections {
        let asked = Flow::of(&connection.parts, Side::Scanner);
        for (_, request) in request::all(&asked).unwrap_or_default() {
            ports.extend(
                request
                    .ask
                    .transport
                    .as_deref()
                    .and_then(streams::client_ports)
                    .map(<[u16; 2]>::from)
                    .into_iter()
                    .flatten(),
            );
        }
    }
    ports
}

/// Datagrams that were sent, each with what came back to the same port before another question; what was asked again
/// without a change is one question.
fn questions(recording: &Recording, media: &[u16]) -> Vec<UdpPort> {
    let mut open: BTreeMap<u16, (u16, Question, Duration)> = BTreeMap::new();
    let mut ports: BTreeMap<u16, Vec<Question>> = BTreeMap::new();
    let mut close = |entry: Option<(u16, Question, Duration)>| {
        if let Some((port, question, _)) = entry.filter(|(_, question, _)| !question.answers.is_empty()) {
            ports.entry(port).or_default().push(question);
        }
    };
    let is_question = |packet: &&Packet| !media.contains(&packet.local_port);
    for packet in recording.datagrams.iter().filter(is_question) {
        match packet.from {
            Side::Scanner => {
                let again = open.get(&packet.local_port);
                if again.is_some_and(|(port, q, _)| *port == packet.peer.port() && q.ask.0 == packet.bytes) {
                    continue;
                }
                let question = Question { ask: Blob(packet.bytes.clone()), answers: Vec::new() };
                close(open.insert(packet.local_port, (packet.peer.port(), question, packet.at)));
            }
            Side::Device => {
                if let Some((_, question, asked)) = open.get_mut(&packet.local_port) {
                    let bytes = Blob(packet.bytes.clone());
                    if !question.answers.iter().any(|answer| answer.bytes == bytes) {
                        question.answers.push(Timed { after_ms: ms(*asked, packet.at), bytes });
                    }
                }
            }
        }
    }
    open.into_values().for_each(|entry| close(Some(entry)));
    ports.into_iter().map(|(port, questions)| UdpPort { port, questions }).collect()
}

fn notes(recording: &Recording, kit: &Kit) -> Vec<String> {
    let mut notes = Vec::new();
    if recording.is_cut {
        notes.push("more was said than is kept; the rest is missing".to_owned());
    }
    let of_other = |port: &&TcpPort| {
        port.exchanges.is_empty()
            && port.questions.is_empty()
            && recording.connections.iter().any(|c| c.to.port() == port.port && !c.parts.is_empty())
    };
    for port in kit.tcp.iter().filter(of_other) {
        notes.push(format!(
            "port {}: nothing was said there that can be replayed; it is open and nothing more",
            port.port
        ));
    }
    let is_unplayed = |e: &&Exchange| sessions::is_agreed(e) && e.session.is_none();
    let unplayed = kit.tcp.iter().flat_map(|port| &port.exchanges).filter(is_unplayed).count();
    if unplayed > 0 {
        notes.push(format!(
            "{unplayed} WebRTC sessions were not played; a replay answers their offers and sends nothing"
        ));
    }
    let silent = recording.connections.iter().filter(|c| c.outcome == Outcome::Silent).count();
    if silent > 0 {
        notes.push(format!("{silent} attempts to connect were not answered at all; a replay refuses them"));
    }
    notes
}

/// The addresses of a device that its recording shows.
pub fn addresses(recording: &Recording) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = recording.connections.iter().map(|c| c.to.ip()).collect();
    all.extend(recording.datagrams.iter().map(|packet| packet.peer.ip()));
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;

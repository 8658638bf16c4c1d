//! What a replay says: the recorded answer to the request that is most like what is asked, with what has to be new in it.

mod adapt;
mod frames;
mod login;
pub mod rtmp;
pub mod session;
mod turns;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::conversation::{Request, is_offer};
use super::format::{Answer, Ask, Exchange, Kit, Proof, Session, Spoken, TcpPort};
pub use adapt::Local;
pub use frames::Laps;
use login::{Login, Nonces};

/// Decides what a replay says. One for all connections.
pub struct Player {
    kit: Kit,
    local: Local,
    nonces: Nonces,
    /// How often each request was answered.
    asked: HashMap<(u16, usize), usize>,
}

/// One connection's state.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    port: u16,
    tracks: Vec<Way>,
}

/// How the packets of a track are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// On the connection: the channel of RTP; that of RTCP is the next.
    Interleaved(u8),
    /// To these ports for RTP and RTCP.
    Datagrams((u16, u16)),
}

/// What is not in the kit.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Seconds since 1970.
    pub now: i64,
    /// Chance, for nonces.
    pub random: u128,
    /// The ports of this machine from which the packets of a track will come, if it is asked for by UDP.
    pub media_ports: Option<(u16, u16)>,
}

/// What is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// After how long.
    pub after: Duration,
    /// Status line and headers; none where the device said nothing.
    pub head: Vec<u8>,
    /// The body's pieces, and when each comes after the head.
    pub body: Vec<(Duration, Vec<u8>)>,
    /// Whether the body begins anew when it is over.
    pub goes_on: bool,
    /// Whether the connection ends then.
    pub closes: bool,
    /// Streams that begin to play.
    pub plays: Option<(Laps, Vec<Way>)>,
    /// Whether streams that play end.
    pub stops: bool,
    /// The WebRTC session that this agrees on, as it was at the device.
    pub session: Option<Agreed>,
}

impl Reply {
    /// Whether it says that what was asked was done.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&status_of(&self.head))
    }
}

/// A WebRTC session as it was at the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreed {
    /// How far it came.
    pub outcome: Session,
    /// The answer that was recorded.
    pub answer: String,
    /// What was sent.
    pub laps: Laps,
}

/// Whether the device let the scanner in anywhere.
pub fn takes_login(kit: &Kit) -> bool {
    kit.tcp
        .iter()
        .flat_map(|port| &port.exchanges)
        .any(|e| e.ask.login.is_some() && e.answer.as_ref().is_some_and(is_let_in))
}

/// The status of an answer; 0 of what has none.
fn status(answer: &Answer) -> u16 {
    status_of(&answer.head.0)
}

fn status_of(head: &[u8]) -> u16 {
    let head = head.get(..64.min(head.len())).unwrap_or_default();
    let code = head.split(|b| *b == b' ').nth(1).and_then(|word| word.get(..3)).unwrap_or_default();
    std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn is_let_in(answer: &Answer) -> bool {
    let is_refused = |body: &[u8]| body.windows(13).any(|w| w == b"NotAuthorized");
    status(answer) != 401 && !answer.body.iter().any(|piece| is_refused(&piece.bytes.0))
}

impl Player {
    /// Plays a kit at an address.
    pub fn new(kit: Kit, local: Local) -> Player {
        Player { kit, local, nonces: Nonces::default(), asked: HashMap::new() }
    }

    /// The kit.
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// A new connection to a port, by the number it had on the device.
    pub fn visit(&self, port: u16) -> Visit {
        Visit { port, tracks: Vec::new() }
    }

    /// Begins again with the first of several answers to the same request: for a client that comes after another is done.
    pub fn rewind(&mut self) {
        self.asked.clear();
    }

    /// The answers to a datagram and when each comes.
    pub fn datagram(&self, port: u16, question: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        let port = self.kit.udp.iter().find(|known| known.port == port);
        port.map(|port| turns::answers(&port.questions, question, &self.local, self.device())).unwrap_or_default()
    }

    /// The answers to what is no request of a protocol that is read, and when each comes.
    pub fn turn(&self, port: u16, question: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        let port = self.kit.tcp.iter().find(|known| known.port == port);
        port.map(|port| turns::answers(&port.questions, question, &self.local, self.device())).unwrap_or_default()
    }

    fn device(&self) -> Option<IpAddr> {
        self.kit.manifest.device
    }

    /// The answer to a request; none where nothing is ever said to it and the connection stays open.
    pub fn answer(&mut self, visit: &mut Visit, request: &Request, moment: &Moment) -> Reply {
        let Some(port) = self.kit.tcp.iter().find(|port| port.port == visit.port) else { return Reply::default() };
        let given = login::given(request, &self.nonces);
        let Some(exchange) = found(port, &mut self.asked, &request.ask, given) else {
            return adapt::unknown(port, request);
        };
        let Some(answer) = &exchange.answer else {
            return Reply { closes: exchange.closes, ..Reply::default() };
        };
        let nonce = self.nonces.fresh(moment.random);
        let local = &self.local;
        let mut reply = adapt::reply(
            &exchange.ask,
            answer,
            request,
            &adapt::Change { local, device: self.device(), moment, nonce: &nonce },
        );
        reply.closes = exchange.closes;
        reply.session = exchange.session.filter(|_| (200..300).contains(&status(answer))).map(|outcome| {
            let body: Vec<u8> = answer.body.iter().flat_map(|piece| piece.bytes.0.iter().copied()).collect();
            let answer = String::from_utf8_lossy(&local.here(&body, self.kit.manifest.device)).into_owned();
            Agreed { outcome, answer, laps: Laps::new(exchange.media.clone()) }
        });
        visit.note(&request.ask, answer, exchange, &mut reply);
        reply
    }
}

impl Visit {
    /// How many tracks are set up.
    pub fn tracks(&self) -> usize {
        self.tracks.len()
    }

    fn note(&mut self, ask: &Ask, answer: &Answer, exchange: &Exchange, reply: &mut Reply) {
        let is_ok = (200..300).contains(&status(answer));
        match ask.method.as_str() {
            "DESCRIBE" => self.tracks.clear(),
            "SETUP" if is_ok && self.tracks.len() < 64 => {
                let asked = ask.transport.as_deref().unwrap_or_default();
                let next = u8::try_from(2 * self.tracks.len()).unwrap_or(0);
                self.tracks.push(match adapt::ways(asked) {
                    (_, Some(ports)) => Way::Datagrams(ports),
                    (channel, None) => Way::Interleaved(channel.unwrap_or(next)),
                });
            }
            "PLAY" if is_ok && !exchange.media.is_empty() => {
                reply.plays = Some((Laps::new(exchange.media.clone()), self.tracks.clone()));
            }
            "TEARDOWN" | "PAUSE" if is_ok => {
                reply.stops = true;
                self.tracks.clear();
            }
            _ => {}
        }
    }
}

/// The exchange that a request is answered by: of several the next, as often as it was asked.
fn found<'k>(
    port: &'k TcpPort,
    asked: &mut HashMap<(u16, usize), usize>,
    ask: &Ask,
    given: Login,
) -> Option<&'k Exchange> {
    let number = find(port, ask, given)?;
    let count = asked.entry((port.port, first_like(port, number))).or_default();
    *count += 1;
    port.exchanges.get(nth_like(port, number, *count))
}

/// The exchange that a request is most like.
fn find(port: &TcpPort, ask: &Ask, given: Login) -> Option<usize> {
    let of_protocol = || port.exchanges.iter().enumerate().filter(|(_, e)| e.ask.protocol == ask.protocol);
    let is_asked = |e: &Exchange| is_same(&e.ask, ask);
    let first = |is_it: &dyn Fn(&Exchange) -> bool| of_protocol().find(|(_, e)| is_it(e)).map(|(number, _)| number);
    let refuses = |e: &Exchange| e.ask.login.is_none() && e.answer.as_ref().is_some_and(|a| !is_let_in(a));
    let lets_in = |e: &Exchange| e.answer.as_ref().is_none_or(is_let_in);
    let direct = match given {
        Login::None => first(&|e| is_asked(e) && e.ask.login.is_none()),
        Login::Right => first(&|e| is_asked(e) && e.ask.login.is_some() && lets_in(e))
            .or_else(|| first(&|e| is_asked(e) && lets_in(e)))
            .or_else(|| first(&|e| is_asked(e) && e.ask.login.is_some())),
        // Where no login is demanded, none is looked at.
        Login::Wrong => first(&|e| is_asked(e) && refuses(e))
            .or_else(|| first(&refuses))
            .or_else(|| first(&|e| is_asked(e) && e.ask.login.is_none())),
    };
    let of_kin = || {
        let is_kin = |e: &Exchange| e.ask.method == ask.method && e.answer.as_ref().is_some_and(|a| status(a) >= 400);
        let is_let = |e: &Exchange| given == Login::None || lets_in(e);
        first(&|e| is_kin(e) && is_let(e) && e.ask.target == ask.target && ask.body.is_some())
            .or_else(|| first(&|e| is_kin(e) && is_let(e) && e.ask.login.is_some() == (given == Login::Right)))
    };
    let is_closed = || given == Login::None && of_protocol().any(|(_, e)| is_asked(e) && e.ask.login.is_some());
    direct.or_else(|| if is_closed() { first(&refuses) } else { of_kin() })
}

/// Whether two requests ask for the same.
fn is_same(known: &Ask, ask: &Ask) -> bool {
    let kind = |ask: &Ask| {
        ask.transport.as_deref().map(|t| (t.contains("/TCP") || t.contains("interleaved"), t.contains("multicast")))
    };
    known.method == ask.method
        && known.target.trim_end_matches('/') == ask.target.trim_end_matches('/')
        && kind(known) == kind(ask)
        && (known.body == ask.body || are_offers(known, ask) || is_same_but_for_its_number(known, ask))
}

/// Whether both offer a WebRTC session: each offer is made anew.
fn are_offers(known: &Ask, ask: &Ask) -> bool {
    [known, ask].iter().all(|ask| ask.body.as_ref().is_some_and(|body| is_offer(&body.0)))
}

/// The number that a request in JSON has and its answer repeats (Janus REST API).
fn transaction(ask: &Ask) -> Option<String> {
    Some(json_of(ask)?.get("transaction")?.as_str()?.to_owned()).filter(|number| number.len() >= 4)
}

fn json_of(ask: &Ask) -> Option<serde_json::Map<String, serde_json::Value>> {
    let body = &ask.body.as_ref()?.0;
    let has_number = body.first() == Some(&b'{') && body.windows(13).any(|w| w == b"\"transaction\"");
    if has_number { serde_json::from_slice(body).ok() } else { None }
}

fn is_same_but_for_its_number(known: &Ask, ask: &Ask) -> bool {
    let without = |ask: &Ask| {
        let mut fields = json_of(ask)?;
        fields.remove("transaction");
        Some(fields)
    };
    without(known).zip(without(ask)).is_some_and(|(known, asked)| known == asked)
}

/// The first exchange in which the same was asked in the same way.
fn first_like(port: &TcpPort, number: usize) -> usize {
    let alike = |e: &Exchange| port.exchanges.get(number).is_some_and(|own| is_like(own, e));
    port.exchanges.iter().position(alike).unwrap_or(number)
}

/// The `count`th of them from the one that was found, or the last.
fn nth_like(port: &TcpPort, number: usize, count: usize) -> usize {
    let Some(own) = port.exchanges.get(number) else { return number };
    let later = port.exchanges.iter().enumerate().skip(number).filter(|(_, e)| is_like(own, e)).map(|(n, _)| n);
    later.take(count.max(1)).last().unwrap_or(number)
}

fn is_like(own: &Exchange, other: &Exchange) -> bool {
    let outcome = |e: &Exchange| e.answer.as_ref().map(is_let_in);
    own.ask.protocol == other.ask.protocol
        && is_same(&own.ask, &other.ask)
        && own.ask.login.is_some() == other.ask.login.is_some()
        && outcome(own) == outcome(other)
}

/// Whether a device's answer is to be read as RTSP.
fn is_rtsp(ask: &Ask) -> bool {
    ask.protocol == Spoken::Rtsp
}

/// Whether a login stands in the body.
fn is_wsse(ask: &Ask) -> bool {
    ask.login == Some(Proof::Wsse)
}

#[cfg(test)]
mod tests;

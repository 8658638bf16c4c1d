//! What goes out, put together: datagrams of one viewer that are equally long leave in one system call.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::echo::Repeat;
use super::figures::{Figures, add, count};
use super::tcp::Link;
use crate::net::media_port::{DatagramPath, MediaPort};

/// The most bytes of one call: the length of a UDP datagram, with its headers (RFC 768).
const MOST_BYTES: usize = 65_000;

/// Sends for all viewers.
pub(super) struct Outbox {
    pub ports: Vec<MediaPort>,
    pub links: HashMap<DatagramPath, Link>,
    figures: Arc<Figures>,
    batch: Vec<u8>,
    /// The path of the datagrams that are batched: port, source, destination.
    whose: Option<(usize, SocketAddr, SocketAddr)>,
    segment: usize,
    count: usize,
    /// A shorter one came, which is the last of a batch.
    is_full: bool,
}

impl Outbox {
    pub fn new(ports: Vec<MediaPort>, figures: Arc<Figures>) -> Outbox {
        Outbox {
            ports,
            links: HashMap::new(),
            figures,
            batch: Vec::with_capacity(MOST_BYTES),
            whose: None,
            segment: 0,
            count: 0,
            is_full: false,
        }
    }

    /// Puts a datagram to those that wait, which are sent when it does not go with them.
    pub fn datagram(&mut self, source: SocketAddr, to: SocketAddr, contents: &[u8]) {
        let whose = self.port_of(source).map(|port| (port, source, to));
        if !self.fits(whose, contents.len()) {
            self.flush();
            (self.whose, self.segment) = (whose, contents.len());
        }
        if whose.is_none() {
            count(&self.figures.unsent);
            return;
        }
        self.batch.extend_from_slice(contents);
        self.count += 1;
        self.is_full = contents.len() < self.segment;
    }

    /// The same for one that was sent before.
    pub fn repeat(&mut self, again: &Repeat) {
        count(&self.figures.repeated);
        self.datagram(again.source, again.to, &again.contents);
    }

    fn fits(&self, whose: Option<(usize, SocketAddr, SocketAddr)>, length: usize) -> bool {
        let most = whose.and_then(|(port, ..)| self.ports.get(port)).map_or(1, MediaPort::most_segments);
        self.count > 0
            && !self.is_full
            && self.whose == whose
            && length <= self.segment
            && self.count < most
            && self.batch.len() + length <= MOST_BYTES
    }

    /// The port that sends from an address of this machine.
    fn port_of(&self, source: SocketAddr) -> Option<usize> {
        let is_its = |port: &MediaPort| {
            let local = port.local();
            local == source
                || local.ip().is_unspecified() && local.is_ipv4() == source.is_ipv4() && local.port() == source.port()
        };
        self.ports.iter().position(is_its)
    }

    /// Sends what waits.
    pub fn flush(&mut self) {
        if let Some((port, source, to)) = self.whose.take()
            && let Some(port) = self.ports.get(port)
            && !self.batch.is_empty()
        {
            let sent = send(port, source, to, &self.batch, self.segment, &self.figures);
            add(&self.figures.datagrams_out, sent);
            add(&self.figures.unsent, (self.count as u64).saturating_sub(sent));
        }
        self.batch.clear();
        (self.count, self.is_full) = (0, false);
    }

    /// Sends a packet over a viewer's connection.
    pub fn packet(&mut self, path: DatagramPath, contents: &[u8]) {
        match self.links.get(&path).is_some_and(|link| link.send(contents)) {
            true => count(&self.figures.datagrams_out),
            false => count(&self.figures.unsent),
        }
    }
}

/// How many datagrams went out. Where the kernel turns out not to cut them up, they go one by one.
fn send(port: &MediaPort, source: SocketAddr, to: SocketAddr, batch: &[u8], segment: usize, figures: &Figures) -> u64 {
    count(&figures.sends);
    let whole = batch.len().div_ceil(segment.max(1)) as u64;
    match port.send(source.ip(), to, batch, segment) {
        Ok(()) => whole,
        // Nobody waits: what is late is of no use.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(_) if whole > 1 => {
            add(&figures.sends, whole);
            let sent = batch.chunks(segment.max(1)).filter(|one| port.send(source.ip(), to, one, one.len()).is_ok());
            sent.count() as u64
        }
        Err(error) => {
            tracing::trace!(%to, "not sent: {error}");
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sizes(port: &mut MediaPort, wanted: usize) -> Vec<usize> {
        let mut got = Vec::new();
        while got.len() < wanted {
            std::future::poll_fn(|context| port.poll_readable(context)).await.unwrap();
            port.receive(|_, datagram| got.push(datagram.len())).unwrap();
        }
        got
    }

    #[tokio::test]
    async fn a_frame_leaves_in_few_calls_and_comes_whole() {
        let mut viewer = MediaPort::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let ours = MediaPort::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let (source, to, most) = (ours.local(), viewer.local(), ours.most_segments());
        let figures = Arc::new(Figures::default());
        let mut outbox = Outbox::new(vec![ours], figures.clone());
        // A report, a key frame, a frame of one packet.
        let lengths = [60, 1200, 1200, 1200, 700, 1200];
        for length in lengths {
            outbox.datagram(source, to, &vec![7; length]);
        }
        outbox.flush();
        assert_eq!(sizes(&mut viewer, lengths.len()).await, lengths);
        let read = figures.read();
        assert_eq!((read.datagrams_out, read.unsent), (6, 0));
        if most >= 4 {
            assert_eq!(read.sends, 3);
        }
        // From an address that is none of ours nothing leaves.
        outbox.datagram("192.0.2.1:5".parse().unwrap(), to, &[1]);
        outbox.flush();
        assert_eq!(figures.read().unsent, 1);
    }
}

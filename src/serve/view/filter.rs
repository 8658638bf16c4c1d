//! Which devices, streams and events are wanted, as a query says: the same key twice is "or", different keys are "and".

use ipnetwork::IpNetwork;
use jiff::Timestamp;

use super::Sight;
use super::device::Flag;
use super::stream::listed_streams;
use crate::history::memory::{DeviceState, Known, KnownStream, StreamState};
use crate::model::Kind;
use crate::model::memory::{EventKind, Expect, Severity};
use crate::model::names::Named;
use crate::serve::problem::Problem;
use crate::text::{clean, nearest};

/// The longest text that is searched for, in characters.
const LONGEST_SEARCH: usize = 128;
/// The most parts of a query.
const MOST_PARTS: usize = 200;

/// The parts of a query, in order, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(pub Vec<(String, String)>);

impl Query {
    /// The values of a key, in order.
    pub fn all<'q>(&'q self, key: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// The value of a key that is given once.
    ///
    /// # Errors
    /// When it is given twice.
    pub fn one<'q>(&'q self, key: &'q str) -> Result<Option<&'q str>, Problem> {
        let mut all = self.all(key);
        match (all.next(), all.next()) {
            (value, None) => Ok(value),
            _ => Err(Problem::parameter(key, "it is given twice")),
        }
    }

    /// The value of a key, read.
    ///
    /// # Errors
    /// When it is given twice, or is none.
    pub fn read<T>(&self, key: &str, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let wrong = |value: &str| Problem::parameter(key, format!("`{}` is no {what}", clean(value)));
        self.one(key)?.map(|value| read(value).ok_or_else(|| wrong(value))).transpose()
    }

    /// The values of a key that are names of an enum.
    ///
    /// # Errors
    /// When one is none; names the nearest.
    pub fn names<T: Named>(&self, key: &str) -> Result<Vec<T>, Problem> {
        let read = |value: &str| {
            let found = T::TABLE.iter().find(|(name, _)| *name == value);
            found.map(|(_, value)| *value).ok_or_else(|| unknown(key, value, T::TABLE.iter().map(|(name, _)| *name)))
        };
        self.all(key).map(read).collect()
    }

    /// Whether a key says yes.
    ///
    /// # Errors
    /// When it is neither `true` nor `false`.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Problem> {
        self.read(key, "`true` or `false`", |value| value.parse().ok())
    }

    /// Refuses keys that mean nothing here.
    ///
    /// # Errors
    /// When there is one; names the nearest.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        if self.0.len() > MOST_PARTS {
            return Err(Problem::parameter("", format!("the query has more than {MOST_PARTS} parts")));
        }
        let strange = self.0.iter().find(|(key, _)| !known.contains(&key.as_str()));
        strange.map_or(Ok(()), |(key, _)| {
            let hint = nearest(key, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
            Err(Problem::parameter(&clean(key), format!("there is no such parameter{}", hint.unwrap_or_default())))
        })
    }
}

fn unknown<'a>(key: &str, value: &str, names: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let hint = nearest(value, names.clone()).map(|near| format!("; did you mean `{near}`?"));
    let all = names.collect::<Vec<_>>().join(", ");
    let hint = hint.unwrap_or_else(|| format!("; it is one of {all}"));
    Problem::parameter(key, format!("`{}` is none{hint}", clean(value)))
}

/// The keys of a [`DeviceFilter`].
pub const DEVICE_KEYS: [&str; 13] = [
    "state",
    "is",
    "kind",
    "vendor",
    "tag",
    "site",
    "subnet",
    "stream_state",
    "open",
    "expect",
    "changed_since",
    "archived",
    "q",
];

/// Which devices are wanted. Archived ones are only where they are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// In one of these states.
    pub state: Vec<DeviceState>,
    /// With one of these flags.
    pub is: Vec<Flag>,
    /// Of one of these kinds.
    pub kind: Vec<Kind>,
    /// Of one of these makers, in whatever case.
    pub vendor: Vec<String>,
    /// With one of these tags.
    pub tag: Vec<String>,
    /// At one of these sites; the empty one is none.
    pub site: Vec<String>,
    /// In one of these networks.
    pub subnet: Vec<IpNetwork>,
    /// With a stream in one of these states.
    pub stream_state: Vec<StreamState>,
    /// With a stream that needs no login, or with none such.
    pub open: Option<bool>,
    /// Expected so.
    pub expect: Vec<Expect>,
    /// Whose state, or that of one of its streams, changed since.
    pub changed_since: Option<Timestamp>,
    /// Archived ones alone; or all.
    pub archived: Archived,
    /// Words of which each stands in a name, an address or another text of it.
    pub q: Option<String>,
}

crate::model::names::names! {
    /// Whether archived devices are wanted.
    #[derive(Default)]
    pub enum Archived {
        /// They are left out.
        #[default]
        No = "false",
        /// They alone are.
        Only = "true",
        /// They are among the others.
        Also = "also",
    }
}

fn network(text: &str) -> Option<IpNetwork> {
    let network: IpNetwork = text.parse().ok()?;
    IpNetwork::new(network.network(), network.prefix()).ok()
}

impl DeviceFilter {
    /// The filter a query holds.
    ///
    /// # Errors
    /// When a value is none.
    pub fn read(query: &Query) -> Result<Self, Problem> {
        let texts = |key: &'static str| query.all(key).map(str::to_owned).collect::<Vec<_>>();
        let subnets = query.all("subnet").map(|text| {
            network(text).ok_or_else(|| Problem::parameter("subnet", format!("`{}` is no network", clean(text))))
        });
        let mut archived = query.names("archived")?;
        Ok(DeviceFilter {
            state: query.names("state")?,
            is: query.names("is")?,
            kind: query.names("kind")?,
            vendor: texts("vendor"),
            tag: texts("tag"),
            site: texts("site"),
            subnet: subnets.collect::<Result<_, _>>()?,
            stream_state: query.names("stream_state")?,
            open: query.flag("open")?,
            expect: query.names("expect")?,
            changed_since: query.read("changed_since", "time", |text| text.parse().ok())?,
            archived: archived.pop().unwrap_or_default(),
            q: query.read("q", "text of at most 128 characters", search)?.filter(|text| !text.is_empty()),
        })
    }

    /// Whether a device is wanted.
    pub fn takes(&self, sight: &Sight, known: &Known) -> bool {
        let any = |is_empty: bool, holds: &dyn Fn() -> bool| is_empty || holds();
        let note = &known.note;
        let streams = || known.streams.values().filter(|stream| stream.gone_at.is_none());
        let wants_archived = self.is.contains(&Flag::Archived);
        let is_listed = match self.archived {
            Archived::No => wants_archived || known.archived_at.is_none(),
            Archived::Only => known.archived_at.is_some(),
            Archived::Also => true,
        };
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        let vendor = known.device.vendor.as_deref().unwrap_or_default();
        let changed =
            |since: Timestamp| known.health.since >= since || streams().any(|stream| stream.health.since >= since);
        is_listed
            && any(self.state.is_empty(), &|| self.state.contains(&known.health.state))
            && any(self.kind.is_empty(), &|| self.kind.contains(&known.device.kind))
            && any(self.expect.is_empty(), &|| self.expect.contains(&note.expect))
            && any(self.vendor.is_empty(), &|| self.vendor.iter().any(|own| same(own, vendor)))
            && any(self.tag.is_empty(), &|| self.tag.iter().any(|tag| note.tags.contains(tag)))
            && any(self.site.is_empty(), &|| {
                self.site.iter().any(|site| *site == note.site.as_deref().unwrap_or_default())
            })
            && any(self.subnet.is_empty(), &|| self.subnet.iter().any(|net| net.contains(known.device.ip)))
            && any(self.stream_state.is_empty(), &|| {
                streams().any(|stream| self.stream_state.contains(&stream.health.state))
            })
            && self.open.is_none_or(|open| streams().any(|stream| stream.stream.open == Some(true)) == open)
            && self.changed_since.is_none_or(changed)
            && any(self.is.is_empty(), &|| sight.flags(known).iter().any(|flag| self.is.contains(flag)))
            && self.q.as_deref().is_none_or(|q| holds_words(known, q))
    }
}

fn search(text: &str) -> Option<String> {
    (text.chars().count() <= LONGEST_SEARCH).then(|| text.trim().to_lowercase())
}

/// Whether each word stands somewhere in what is known of a device.
fn holds_words(known: &Known, q: &str) -> bool {
    let (device, note) = (&known.device, &known.note);
    let texts = [
        Some(known.uid.to_string()),
        known.name().map(str::to_owned),
        device.name.clone(),
        Some(device.ip.to_string()),
        device.mac.map(|mac| mac.to_string()),
        device.hostname.clone(),
        device.vendor.clone(),
        device.model.clone(),
        device.firmware.clone(),
        device.serial.clone(),
        note.site.clone(),
        note.text.clone(),
        Some(note.tags.join("\n")),
        Some(device.kind.to_string()),
    ];
    let all = texts.into_iter().flatten().collect::<Vec<_>>().join("\n").to_lowercase();
    q.split_whitespace().all(|word| all.contains(word))
}

crate::model::names::names! {
    /// What devices are sorted by.
    pub enum DeviceSort {
        /// The address.
        Ip = "ip",
        /// What it is called, in natural order; those without a name last.
        Name = "name",
        /// The state: what does not work first.
        State = "state",
        /// Since when it is in its state.
        Since = "since",
        /// When it was first seen.
        FirstSeen = "first_seen",
        /// When it was last seen.
        LastSeen = "last_seen",
        /// The maker and the model.
        Vendor = "vendor",
        /// The site and the name.
        Site = "site",
        /// What it is.
        Kind = "kind",
    }
}

/// The kinds of events that `type` and `severity` of a query ask for; none: of any kind.
///
/// # Errors
/// When one is none, or when nothing can be of both.
pub fn event_kinds(query: &Query) -> Result<Option<Vec<EventKind>>, Problem> {
    let (kinds, severities): (Vec<EventKind>, Vec<Severity>) = (query.names("type")?, query.names("severity")?);
    if kinds.is_empty() && severities.is_empty() {
        return Ok(None);
    }
    let all = if kinds.is_empty() { EventKind::ALL.to_vec() } else { kinds };
    let of: Vec<EventKind> =
        all.into_iter().filter(|kind| severities.is_empty() || severities.contains(&kind.severity())).collect();
    match of.is_empty() {
        true => Err(Problem::parameter("severity", "no event of this type is so severe")),
        false => Ok(Some(of)),
    }
}

impl DeviceSort {
    /// The order that `sort` of a query asks for, and whether the greatest comes first: `-last_seen`.
    ///
    /// # Errors
    /// When there is no such order.
    pub fn read(query: &Query) -> Result<(Self, bool), Problem> {
        let Some(text) = query.one("sort")? else { return Ok((DeviceSort::Ip, false)) };
        let (name, is_down) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let all = Self::TABLE.iter().map(|(name, _)| *name);
        DeviceSort::from_name(name).map(|sort| (sort, is_down)).ok_or_else(|| unknown("sort", name, all))
    }

    /// What stands for a device in the order: of two texts the lesser comes first.
    pub fn key(self, known: &Known) -> String {
        let text = |text: Option<&str>| text.map_or_else(|| "\u{10ffff}".to_owned(), natural);
        let (device, health) = (&known.device, &known.health);
        match self {
            DeviceSort::Ip => address(device.ip),
            DeviceSort::Name => text(known.name()),
            DeviceSort::State => match (health.state, health.misses) {
                (DeviceState::Offline, _) => "0".to_owned(),
                (_, 1..) => "1".to_owned(),
                (DeviceState::Unknown, _) => "2".to_owned(),
                (DeviceState::Online, _) => "3".to_owned(),
            },
            DeviceSort::Since => time(health.since),
            DeviceSort::FirstSeen => time(known.seen.first),
            DeviceSort::LastSeen => time(known.seen.last),
            DeviceSort::Vendor => {
                format!("{}\u{1}{}", text(device.vendor.as_deref()), text(device.model.as_deref()))
            }
            DeviceSort::Site => format!("{}\u{1}{}", text(known.note.site.as_deref()), text(known.name())),
            DeviceSort::Kind => device.kind.to_string(),
        }
    }
}

/// A time as text in the order of times.
fn time(at: Timestamp) -> String {
    format!("{:020}", at.as_millisecond().saturating_add(1 << 60))
}

/// An address as text in the order of addresses.
pub fn address(ip: std::net::IpAddr) -> String {
    match ip {
        std::net::IpAddr::V4(v4) => format!("4{:08x}", u32::from(v4)),
        std::net::IpAddr::V6(v6) => format!("6{:032x}", u128::from(v6)),
    }
}

/// A text in the order in which people look for it: without case, and numbers by their value.
fn natural(text: &str) -> String {
    let mut key = String::with_capacity(text.len() + 16);
    let mut digits = String::new();
    for c in text.to_lowercase().chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            key.push_str(&format!("{:0>20}", digits.trim_start_matches('0')));
            digits.clear();
        }
        key.push(c);
    }
    key
}

/// The keys of a [`StreamFilter`] besides those of its device.
pub const STREAM_KEYS: [&str; 4] = ["device", "protocol", "codec", "gone"];

/// Which streams are wanted: those of the devices that are wanted, and in these states themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// Of which devices. What it says of streams holds for the stream itself.
    pub of: DeviceFilter,
    /// Of one of these devices.
    pub device: Vec<String>,
    /// Fetched by one of these protocols.
    pub protocol: Vec<crate::model::Protocol>,
    /// With one of these codecs.
    pub codec: Vec<crate::model::VideoCodec>,
}

impl StreamFilter {
    /// The filter a query holds.
    ///
    /// # Errors
    /// When a value is none.
    pub fn read(query: &Query) -> Result<Self, Problem> {
        Ok(StreamFilter {
            of: DeviceFilter::read(query)?,
            device: query.all("device").map(str::to_owned).collect(),
            protocol: query.names("protocol")?,
            codec: query.names("codec")?,
        })
    }

    /// Whether a stream of a device that is wanted is wanted.
    pub fn takes(&self, known: &Known, of: &KnownStream) -> bool {
        let (stream, wanted) = (&of.stream, &self.of);
        let codec = stream.video.as_ref().and_then(|video| video.codec);
        (wanted.stream_state.is_empty() || wanted.stream_state.contains(&of.health.state))
            && wanted.open.is_none_or(|open| (stream.open == Some(true)) == open)
            && (self.protocol.is_empty() || self.protocol.contains(&stream.protocol))
            && (self.codec.is_empty() || codec.is_some_and(|codec| self.codec.contains(&codec)))
            && (self.device.is_empty() || self.device.iter().any(|uid| uid == known.uid.as_str()))
    }
}

impl Sight {
    /// The devices that are wanted.
    pub fn known<'s>(&'s self, filter: &'s DeviceFilter) -> impl Iterator<Item = &'s Known> {
        self.memory.roots().filter(move |known| filter.takes(self, known))
    }

    /// The streams that are wanted, each with its device and its key.
    pub fn streams<'s>(
        &'s self,
        filter: &'s StreamFilter,
    ) -> impl Iterator<Item = (&'s Known, &'s str, &'s KnownStream)> {
        let all = self.known(&filter.of).flat_map(|known| listed_streams(known).map(move |(key, of)| (known, key, of)));
        all.filter(|(known, _, of)| filter.takes(known, of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_sorted_by_their_value() {
        let mut names = vec!["Cam 10", "cam 2", "Cam 1", "Gate", "cam 02b"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["Cam 1", "cam 2", "cam 02b", "Cam 10", "Gate"]);
    }

    #[test]
    fn a_value_or_key_that_is_none_is_answered_with_the_nearest() {
        let query = Query(vec![("state".into(), "onlin".into())]);
        let problem = DeviceFilter::read(&query).unwrap_err();
        assert!(problem.errors[0].message.contains("did you mean `online`"), "{problem:?}");
        let problem = Query(vec![("stat".into(), "x".into())]).only(&DEVICE_KEYS).unwrap_err();
        assert!(problem.errors[0].message.contains("did you mean `state`"), "{problem:?}");
    }
}

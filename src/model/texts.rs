//! Every text of a report, one after the other: so that what must hold for all of them is done in one place.

use super::{
    Answer, Channel, Device, Evidence, EvidenceSource, Fact, FindingKind, Report, Service, StageError, Stream,
};

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind<'a> {
    /// One line; what a device sent may be in it.
    Line,
    /// One line: the value a device sent for this name.
    ValueOf(&'a str),
    /// Several lines.
    Lines,
    /// A word of our own: of our tables, or of the code.
    Own,
    /// The path of a file on this machine.
    Path,
}

/// Whoever looks at every text, and may change it.
pub type OfTexts<'f> = &'f mut dyn FnMut(TextKind<'_>, &mut String);

fn lines<'t>(texts: impl IntoIterator<Item = &'t mut String>, of: OfTexts<'_>) {
    texts.into_iter().for_each(|text| of(TextKind::Line, text));
}

impl FindingKind {
    /// Shows `of` every text that reaches the report. The address of a hint does not: it is asked as it is.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        match self {
            FindingKind::EndpointId(id) => of(TextKind::Line, id),
            FindingKind::Service(service) | FindingKind::Announced(service) => service.texts(of),
            FindingKind::Evidence(evidence) => evidence.texts(of),
            FindingKind::Stream(stream) => stream.texts(of),
            FindingKind::Channel(channel) => channel.texts(of),
            FindingKind::Error(error) => error.texts(of),
            FindingKind::HeardOn(interface) => of(TextKind::Own, interface),
            FindingKind::Seen(_)
            | FindingKind::Mac(_)
            | FindingKind::StatedMac(_)
            | FindingKind::Address(_)
            | FindingKind::Network(_)
            | FindingKind::Activation(_)
            | FindingKind::Clock(_)
            | FindingKind::CertificateEnd(_)
            | FindingKind::Refuses(_)
            | FindingKind::StreamHint(_)
            | FindingKind::AnalysedAt(_)
            | FindingKind::LoginAttempts(_)
            | FindingKind::Done => {}
        }
    }
}

impl Report {
    /// Shows `of` every text.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        let scan = &mut self.scan;
        lines([&mut scan.camscan_version].into_iter().chain(&mut scan.targets), of);
        scan.asked.iter_mut().for_each(|range| of(TextKind::Own, range));
        if let Some(coverage) = &mut scan.coverage {
            let interfaces =
                coverage.interfaces.iter_mut().flat_map(|i| [&mut i.name].into_iter().chain(&mut i.networks));
            interfaces.for_each(|text| of(TextKind::Own, text));
            let reasons = coverage.methods.iter_mut().filter_map(|method| method.reason.as_mut());
            lines(reasons.chain(&mut coverage.notes), of);
        }
        self.warnings.iter_mut().for_each(|warning| of(TextKind::Lines, warning));
        self.devices.iter_mut().for_each(|device| device.texts(of));
    }
}

impl Device {
    /// Shows `of` every text.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        let names = [&mut self.hostname, &mut self.name, &mut self.vendor, &mut self.model];
        let further = [&mut self.firmware, &mut self.serial, &mut self.endpoint, &mut self.site];
        lines([&mut self.id].into_iter().chain(names.into_iter().chain(further).flatten()), of);
        lines(&mut self.tags, of);
        self.services.iter_mut().for_each(|service| service.texts(of));
        self.streams.iter_mut().for_each(|stream| stream.texts(of));
        self.channels.iter_mut().for_each(|channel| channel.texts(of));
        lines(self.shown_by.iter_mut().map(|shown| &mut shown.recorder), of);
        self.evidence.iter_mut().for_each(|evidence| evidence.texts(of));
        self.errors.iter_mut().for_each(|error| error.texts(of));
        if let Some(interface) = &mut self.heard_on {
            of(TextKind::Own, interface);
        }
        for warning in &mut self.warnings {
            lines([&mut warning.message].into_iter().chain(&mut warning.hint).chain(&mut warning.others), of);
        }
    }
}

impl Service {
    /// Shows `of` every text.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        let fields = [&mut self.url, &mut self.server, &mut self.title, &mut self.realm];
        let certificate = [&mut self.certificate, &mut self.fingerprint];
        lines(fields.into_iter().chain(certificate).flatten().chain(&mut self.notes), of);
        self.answers.iter_mut().for_each(|answer| answer.texts(of));
    }
}

impl Stream {
    /// Shows `of` every text.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        lines([&mut self.url].into_iter().chain(&mut self.profile_name).chain(&mut self.profile_token), of);
        lines(&mut self.warnings, of);
        if let Some(video) = &mut self.video {
            lines([&mut video.profile, &mut video.level].into_iter().flatten(), of);
        }
        if let Some(error) = &mut self.error {
            of(TextKind::Line, &mut error.message);
        }
        if let Some(digest) = &mut self.parameter_sets {
            of(TextKind::Own, digest);
        }
        if let Some(path) = &mut self.snapshot {
            of(TextKind::Path, path);
        }
        if let Some(sdp) = &mut self.sdp {
            of(TextKind::Lines, sdp);
        }
        self.answers.iter_mut().for_each(|answer| answer.texts(of));
    }
}

impl Channel {
    /// Shows `of` every text.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        let listed = [&mut self.name, &mut self.serial, &mut self.model];
        let concluded = [&mut self.camera, &mut self.possible_camera, &mut self.note];
        lines(listed.into_iter().chain(concluded).flatten(), of);
    }
}

impl Answer {
    /// Shows `of` every text.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        lines([&mut self.request, &mut self.status], of);
        for header in &mut self.headers {
            if let Some(value) = &mut header.value {
                of(TextKind::ValueOf(&header.name), value);
            }
            of(TextKind::Line, &mut header.name);
        }
    }
}

impl Evidence {
    /// Shows `of` every text. What a device is, and the maker a MAC address is registered to, are words of our own tables.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        let is_own = self.fact == Fact::Kind || self.source == EvidenceSource::Oui;
        of(if is_own { TextKind::Own } else { TextKind::Line }, &mut self.value);
        lines(&mut self.detail, of);
    }
}

impl StageError {
    /// Shows `of` every text.
    pub fn texts(&mut self, of: OfTexts<'_>) {
        of(TextKind::Line, &mut self.message);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::export::sample;
    use crate::model::{Header, Protocol};

    /// Where the texts of a value stand.
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(at.to_owned()),
            Value::Array(all) => all.iter().enumerate().for_each(|(i, v)| places(v, &format!("{at}/{i}"), found)),
            Value::Object(all) => all.iter().for_each(|(name, v)| places(v, &format!("{at}/{name}"), found)),
            _ => {}
        }
    }

    /// Whatever field is added to the report: where it takes any text, it is shown.
    #[test]
    fn every_text_of_a_report_is_shown() {
        let mut report = sample::report();
        (report.devices[0].site, report.devices[0].tags) = (Some("x".into()), vec!["x".into()]);
        let mut stream = Stream::new("rtsp://192.0.2.1/", Protocol::Rtsp);
        let header = Header { name: "Server".into(), value: Some("x".into()), withheld: false };
        stream.answers = vec![Answer { request: "OPTIONS".into(), status: "200".into(), headers: vec![header] }];
        stream.sdp = Some("v=0".into());
        stream.snapshot = Some("a.jpg".into());
        stream.profile_token = Some("t".into());
        stream.parameter_sets = Some("0f".into());
        report.devices[0].services[0].answers.clone_from(&stream.answers);
        report.devices[0].services[0].certificate = Some("x".into());
        report.devices[0].endpoint = Some("x".into());
        report.scan.asked = vec!["x".into()];
        report.devices[0].streams.push(stream);
        let mut channels = sample::site().devices.remove(0).channels;
        channels[0].serial = Some("x".into());
        channels[0].model = Some("x".into());
        channels[0].note = Some("x".into());
        channels[0].possible_camera = Some("x".into());
        report.devices[0].channels = channels;
        report.devices[0].shown_by = sample::site().devices.remove(4).shown_by;
        let whole = serde_json::to_value(&report).unwrap();
        let mut all = Vec::new();
        places(&whole, "", &mut all);
        let mut taken = 0;
        for place in all.iter().filter(|place| *place != "/schema") {
            let mut changed = whole.clone();
            *changed.pointer_mut(place).unwrap() = "any text".into();
            // Times, addresses and names of enumerations take no other text.
            let Ok(mut report) = serde_json::from_value::<Report>(changed) else { continue };
            // An unknown step is read as `other`.
            if serde_json::to_value(&report).unwrap().pointer(place).unwrap() != "any text" {
                continue;
            }
            let mut shown = 0;
            report.texts(&mut |_, text| shown += usize::from(text == "any text"));
            assert_eq!(shown, 1, "{place}");
            taken += 1;
        }
        assert!(taken > 60, "{taken}");
    }
}

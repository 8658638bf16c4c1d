//! The bar of thirty days: when a device answered, and when not.

use jiff::{SignedDuration, Timestamp};

use super::look::Look;
use super::parts;
use super::words::Text;
use crate::export::survey::lang::Noun;
use crate::history::memory::DeviceState;
use crate::markup::Markup;
use crate::serve::view::device::SpanView;

/// Units of the drawing; one of them is the least that is drawn.
const WIDTH: i64 = 1_000;

/// What the time from `from` until now adds up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    online: SignedDuration,
    offline: SignedDuration,
    outages: usize,
    longest: SignedDuration,
}

impl Sum {
    fn of(spans: &[SpanView], from: Timestamp, now: Timestamp) -> Sum {
        let mut sum = Sum::default();
        for span in spans.iter().filter(|span| span.stream.is_none()) {
            let lasted =
                cut(span, from, now).map_or(SignedDuration::ZERO, |(began, ended)| ended.duration_since(began));
            match DeviceState::from_name(&span.state) {
                Some(DeviceState::Online) => sum.online += lasted,
                Some(DeviceState::Offline) if lasted > SignedDuration::ZERO => {
                    sum.offline += lasted;
                    sum.outages += 1;
                    sum.longest = sum.longest.max(lasted);
                }
                _ => {}
            }
        }
        sum
    }

    /// The share of the time in which it was known and answered, in percent.
    fn percent(self) -> Option<f64> {
        let known = self.online + self.offline;
        (known > SignedDuration::ZERO).then(|| 100.0 * self.online.as_secs_f64() / known.as_secs_f64())
    }
}

/// The part of a span between two times.
fn cut(span: &SpanView, from: Timestamp, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let (began, ended) = (span.began.max(from), span.ended.unwrap_or(now).min(now));
    (began < ended).then_some((began, ended))
}

/// The section.
pub fn section(out: &mut Markup, look: &Look, spans: &[SpanView], from: Timestamp) {
    let sum = Sum::of(spans, from, look.now);
    out.raw("<section class=\"panel days\"><h2>").text(look.say(Text::ThirtyDays));
    if let Some(percent) = sum.percent() {
        out.raw(" <small class=\"number\">").text(look.lang.decimal(percent, 2)).raw("\u{a0}%</small>");
    }
    out.raw("</h2>");
    let said = said(look, sum);
    out.open(
        "svg",
        &[("viewBox", "0 0 1000 34"), ("preserveAspectRatio", "none"), ("role", "img"), ("aria-label", &said)],
    );
    for span in spans.iter().filter(|span| span.stream.is_none()) {
        bar(out, look, span, from);
    }
    for day in 1..30 {
        let x = (WIDTH * day / 30).to_string();
        out.open("path", &[("class", "tick"), ("d", &format!("M{x} 0V34"))]).raw("</path>");
    }
    out.raw("</svg><div class=\"ends\">");
    parts::time(out, look, from);
    out.raw("<span>").text(look.say(Text::Today)).raw("</span></div><p class=\"legend\">");
    for (class, text) in [("on", Text::Online), ("off", Text::Offline), ("un", Text::Unknown)] {
        out.open("span", &[]).open("i", &[("class", class)]).raw("</i>").text(look.say(text)).raw("</span>");
    }
    out.raw("<span>").text(said).raw("</span></p></section>\n");
}

fn said(look: &Look, sum: Sum) -> String {
    match sum.outages {
        0 => look.say(Text::NoOutage).to_owned(),
        outages => look.with(
            Text::Outages,
            &[
                &look.counted(outages, Noun::Outage),
                &parts::lasting(look, sum.offline),
                &parts::lasting(look, sum.longest),
            ],
        ),
    }
}

fn bar(out: &mut Markup, look: &Look, span: &SpanView, from: Timestamp) {
    let Some((began, ended)) = cut(span, from, look.now) else { return };
    let whole = look.now.duration_since(from).as_secs().max(1);
    let place = |at: Timestamp| at.duration_since(from).as_secs().saturating_mul(WIDTH) / whole;
    let (x, end) = (place(began), place(ended));
    let (class, text) = match DeviceState::from_name(&span.state) {
        Some(DeviceState::Online) => ("on", Text::Online),
        Some(DeviceState::Offline) => ("off", Text::Offline),
        _ => ("un", Text::Unknown),
    };
    // A short outage is seen all the same.
    let width = (end - x).max(if class == "off" { 3 } else { 1 });
    let (x, width) = (x.to_string(), width.to_string());
    out.open("rect", &[("class", class), ("x", &x), ("y", "0"), ("width", &width), ("height", "34")]);
    let zone = |at: Timestamp| at.to_zoned(look.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
    out.raw("<title>")
        .text(format_args!("{}: {} – {}", look.say(text), zone(began), zone(ended)))
        .raw("</title></rect>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_time_counts() {
        let at = |hours: i64| Timestamp::from_second(1_780_000_000 + hours * 3600).unwrap();
        let span = |state: &str, began, ended: Option<i64>| SpanView {
            stream: None,
            state: state.to_owned(),
            began: at(began),
            ended: ended.map(at),
        };
        let spans = [
            span("online", -10, Some(3)),
            span("offline", 3, Some(4)),
            span("unknown", 4, Some(7)),
            span("online", 7, None),
        ];
        let sum = Sum::of(&spans, at(0), at(10));
        assert_eq!((sum.outages, sum.longest), (1, SignedDuration::from_hours(1)));
        assert_eq!(sum.percent().map(|p| p.round()), Some(86.0));
        assert_eq!(Sum::of(&[], at(0), at(10)).percent(), None);
        assert_eq!(Sum::of(&spans, at(20), at(10)), Sum::default());
    }
}

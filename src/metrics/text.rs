//! The text format of Prometheus: families of samples, each with its help and kind.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::Write;

/// The kind of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows while the process runs.
    Counter,
    /// Counts by how large something was.
    Histogram,
}

/// The text as it grows. A family without a sample is left out.
#[derive(Debug, Default)]
pub struct Text {
    written: String,
    heading: Option<String>,
    name: String,
}

impl Text {
    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        self.heading = Some(format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        name.clone_into(&mut self.name);
    }

    /// A sample of the family. Empty labels are left out: to Prometheus they are the same.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.part("", labels, value);
    }

    /// The samples of a histogram: how many were at most as large as each bound, ascending, and last, larger than all.
    pub fn histogram(&mut self, bounds: &[f64], counts: &[u64], sum: f64) {
        let mut total = 0u64;
        let ends = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in ends.zip(counts) {
            total = total.saturating_add(*count);
            self.part("_bucket", &[("le", &bound)], super::as_f64(total));
        }
        self.part("_sum", &[], sum);
        self.part("_count", &[], super::as_f64(total));
    }

    fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.written.push_str(&self.heading.take().unwrap_or_default());
        self.written.push_str(&self.name);
        self.written.push_str(suffix);
        let mut separator = '{';
        for (label, text) in labels.iter().filter(|(_, text)| !text.is_empty()) {
            // Writing to a String cannot fail.
            let _ = write!(self.written, "{separator}{label}=\"{}\"", escaped(text));
            separator = ',';
        }
        if separator == ',' {
            self.written.push('}');
        }
        let _ = writeln!(self.written, " {value}");
    }

    /// A line for people.
    pub fn comment(&mut self, text: &str) {
        let _ = writeln!(self.written, "# {}", text.replace('\n', " "));
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.written
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_family_without_samples_is_left_out() {
        let mut text = Text::default();
        text.family("a", Kind::Gauge, "None.");
        text.family("b_total", Kind::Counter, "One \\ or\ntwo.");
        text.sample(&[], 2.0);
        text.sample(&[("x", "a\"b\\c\nd"), ("y", ""), ("z", "1")], 0.5);
        let expected = "# HELP b_total One \\\\ or\\ntwo.\n# TYPE b_total counter\nb_total 2\n\
                        b_total{x=\"a\\\"b\\\\c\\nd\",z=\"1\"} 0.5\n";
        assert_eq!(text.finish(), expected);
    }

    proptest! {
        /// Whatever stands in a label, a sample is one line, and its quotes are closed.
        #[test]
        fn a_sample_is_one_line(value in ".*\n?\"?\\\\?") {
            let mut text = Text::default();
            text.family("a", Kind::Gauge, "x");
            text.sample(&[("l", &value)], 1.0);
            let written = text.finish();
            prop_assert_eq!(written.matches('\n').count(), 3);
            let line = written.lines().last().unwrap_or_default().replace(r"\\", "").replace(r#"\""#, "");
            prop_assert_eq!(line.matches('"').count() % 2, 0);
        }
    }
}

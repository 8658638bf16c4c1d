//! Exporters: a report in, bytes out.

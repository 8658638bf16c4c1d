//! The pipeline of a scan.

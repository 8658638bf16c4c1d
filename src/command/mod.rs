//! One file per subcommand; the only place that joins the parts.

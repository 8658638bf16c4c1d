//! The `camscan` program.

fn main() {}

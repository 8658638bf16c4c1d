//! A network full of simulated cameras, for measuring; see [`camscan::testkit::population`], and `benches/network/run.py`,
//! which routes the addresses to it.
//!
//! `population INTERFACE [!]FIRST COUNT STEP [[!]FIRST COUNT STEP]…` prints `ready` and serves until it is stopped.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a simulator of our own network, started by a script")]

use camscan::testkit::population;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (interface, ranges) = arguments.split_first().unwrap();
    population::serve(interface, ranges, |hosts| println!("ready: {hosts} cameras")).await;
}

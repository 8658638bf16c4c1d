//! The scanner against real kernels and real servers of Debian's packages, in network namespaces the tests make and remove
//! themselves: what it finds, what it withstands, and what it takes of the machine.
//!
//! Most of it needs root and the packages `.ci/run` installs. A test that cannot run on a machine is ignored, with the
//! reason; with `CAMSCAN_LAB=required` it fails.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what went wrong by failing"
)]

mod browser;
mod cameras;
mod compare;
mod configurations;
mod crowded;
mod endurance;
mod faults;
mod gentle;
mod happenings;
mod helper;
mod hostile;
mod limits;
mod live;
mod lockout;
mod media_servers;
mod memory;
mod net_ns;
mod network;
mod notify;
mod ns;
mod onvif;
mod others;
mod players;
mod recorders;
mod replay;
#[path = "../replayed/mod.rs"]
mod replayed;
mod schemathesis;
mod second_scan;
mod servers;
mod site;
mod store;
#[path = "../trial/mod.rs"]
mod trial;
mod watch;
mod watch_networks;
mod zoneminder;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use camscan::testkit::fleet::Fault;
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

use ns::{Host, Lan};

const PYTHON: &str = "/usr/bin/python3";
const PASSWORD: &str = "korrekt-pferd-42";

/// A Python that has aiortc, which no package of Debian does: `python3 -m venv DIR; DIR/bin/pip install aiortc`.
fn aiortc() -> Result<String, trial::Skip> {
    match std::env::var("CAMSCAN_AIORTC") {
        Ok(python) => Ok(python),
        Err(_) => ns::skip("CAMSCAN_AIORTC names no Python with aiortc").map(|()| String::new()),
    }
}

/// What makes this program play a role for a test, in a namespace or for the sake of a process of its own.
const ROLE: &str = "CAMSCAN_LAB_ROLE";

/// Those that compare frame rates of dozens of encoders run before all others, beside one that only waits: among the others they
/// would wait for the longest, and everybody for them. Then the longest first, so that none of them is what the end waits for, and
/// last what fills a table of the machine. What took how long is said after each run.
fn trials() -> Vec<Trial> {
    trial::trials! {
        measured network::every_server_is_known_for_what_it_is;
        measured players::ffprobe_and_camscan_see_the_same_streams;
        patient watch::what_happens_to_cameras_is_told_once_by_every_channel;
        beside watch_networks::what_falls_silent_is_reported_once_with_what_still_answers;
        beside browser::a_visit_goes_from_the_code_to_what_changed_since_yesterday;
        beside browser::every_page_holds_at_every_width_in_both_colours_and_languages;
        beside replay::a_replay_of_every_server_is_found_as_the_server;
        beside live::a_bad_network_and_a_sudden_end_are_one_viewers_own;
        beside watch::a_full_disk_ends_no_watching;
        beside notify::a_receiver_that_misbehaves_loses_nothing_and_gets_nothing_twice;
        beside browser::every_page_can_be_read_and_used;
        beside schemathesis::every_answer_of_the_api_is_as_its_document_says;
        beside live::other_programs_are_measured_and_ratios_are_printed;
        beside browser::a_thousand_devices_scroll;
        beside live::the_page_says_that_a_camera_is_unplugged_and_shows_it_again;
        beside live::a_tone_of_the_camera_is_heard_in_chromium;
        beside faults::privileges_are_gone_before_anything_is_read;
        beside endurance::twenty_five_scans_leave_nothing_behind;
        beside browser::a_technician_is_done_in_half_an_hour;
        beside live::every_codec_is_shown_in_chromium;
        beside site::cameras_at_factory_addresses_are_listed_and_left_alone;
        beside hostile::hosts_that_mean_harm_change_nothing_for_a_camera;
        beside second_scan::an_unchanged_lab_is_asked_little_more_than_its_streams;
        beside browser::a_merge_and_a_split_are_taken_back;
        beside players::every_probe_of_a_mount_with_sound_streams;
        beside browser::a_scan_is_started_and_stopped;
        beside replay::a_replay_of_recorders_and_their_cameras_is_found_as_they_were;
        beside gentle::connections_at_once_sessions_and_logins_are_bounded;
        beside live::a_camera_that_was_away_is_seen_again_by_who_waits;
        beside browser::the_first_account_is_made_and_logs_in;
        beside replay::a_replay_of_a_whep_endpoint_sends_what_the_endpoint_sent;
        beside net_ns::a_large_network_is_swept_without_losing_a_host;
        beside browser::devices_are_found_selected_and_tagged;
        beside browser::hostile_names_are_text;
        beside browser::a_player_says_why_it_shows_nothing;
        beside configurations::real_programs_read_what_is_written_for_them;
        beside notify::a_mail_server_gets_each_message_once_and_protected;
        beside media_servers::media_servers_tell_what_they_serve;
        beside browser::language_and_colours_are_kept;
        beside second_scan::streams_of_other_protocols_are_only_played_as_well;
        beside lockout::wrong_logins_lock_no_device;
        beside live::a_camera_that_comes_back_with_another_codec_is_shown_by_the_same_page;
        beside gentle::a_camera_with_room_for_one_connection_streams_to_who_scans_without_root;
        beside faults::a_network_that_goes_away_costs_what_was_not_yet_seen;
        beside browser::pages_stand_below_a_path_of_a_proxy;
        beside players::a_disagreement_is_found;
        beside gentle::passwords_of_the_configuration_stand_nowhere;
        beside media_servers::a_whep_stream_is_played_until_frames_arrive;
        beside media_servers::a_whep_stream_with_an_rsa_certificate_is_described_with_the_reason;
        beside zoneminder::the_database_takes_every_name_and_each_monitor_once;
        beside configurations::media_servers_play_on_by_what_is_written_for_them;
        beside faults::without_a_network_the_reason_is_said;
        beside faults::dead_name_servers_cost_names_and_little_time;
        beside faults::names_are_not_waited_for_when_it_is_interrupted;
        beside faults::a_full_disk_keeps_the_old_report;
        beside store::a_full_disk_and_a_disk_that_is_read_only_leave_the_store_whole;
        beside net_ns::arp_finds_each_host_of_a_network_and_nobody_else;
        beside net_ns::without_privilege_the_kernel_finds_the_same_hosts;
        beside net_ns::a_router_that_answers_for_everybody_is_no_network_full_of_hosts;
        beside net_ns::hosts_behind_a_router_answer_to_echo;
        beside net_ns::hosts_behind_a_router_are_found_by_their_refusals_without_any_privilege;
        beside net_ns::ipv6_hosts_of_the_link_answer_together;
        beside net_ns::a_neighbour_that_has_left_is_not_found_because_it_is_remembered;
        beside net_ns::a_link_for_tcp_answers_hears_those_to_its_port_alone;
        beside net_ns::both_rungs_say_the_same_of_ports;
        beside net_ns::both_rungs_see_through_a_host_that_takes_any_port;
        beside net_ns::two_hundred_hosts_are_asked_side_by_side;
        beside live::aiortc_decodes_what_a_camera_sends;
        beside recorders::a_camera_that_recorders_show_is_counted_once;
        beside recorders::without_its_login_a_recorder_is_matched_by_what_it_shows;
        beside recorders::a_recorder_that_moved_is_the_same_one_with_the_same_cameras;
        beside limits::sixty_four_open_files_are_enough_for_a_whole_network;
        beside compare::differences_are_found_and_named;
        beside helper::every_scan_of_a_process_has_raw_frames_and_new_interfaces_as_well;
        beside helper::it_is_started_where_something_needs_it_only;
        beside helper::whoever_takes_over_the_scan_gets_two_things_of_it_and_no_more;
        beside helper::it_ends_with_the_process_that_started_it;
        beside notify::a_broker_shows_devices_and_knows_them_again_after_it_was_away;
        beside notify::a_broker_behind_tls_is_told_nothing_before_its_certificate_is_known;
        alone crowded::no_camera_is_lost_when_the_neighbour_table_is_full;
        by_hand players::each_of_two_hundred_probes_of_a_mount_with_sound_streams;
        by_hand endurance::five_hundred_scans_leave_nothing_behind;
        by_hand happenings::what_happens_at_a_site_is_sent_once_and_nothing_else;
        by_hand happenings::three_seeds_at_three_losses;
        by_hand memory::among_64_hosts_that_send_without_end;
    }
}

fn main() -> ExitCode {
    if let Ok(role) = std::env::var(ROLE) {
        play(&role);
        return ExitCode::SUCCESS;
    }
    let trials = if cfg!(target_os = "linux") { trials() } else { Vec::new() };
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or_else(threads);
    trial::run(&arguments, trials)
}

/// Three for each processor, unless the environment says how many: these wait for servers and frames more than they compute. No
/// more than fit into memory beside each other, browsers included.
fn threads() -> Option<usize> {
    const MOST: usize = 12;
    match std::env::var("RUST_TEST_THREADS") {
        Ok(said) => match said.parse() {
            Ok(threads) if threads > 0 => Some(threads),
            _ => panic!("RUST_TEST_THREADS is `{said}`, and should be a number from 1"),
        },
        Err(_) => std::thread::available_parallelism().ok().map(|processors| (processors.get() * 3).min(MOST)),
    }
}

fn play(role: &str) {
    let words: Vec<&str> = role.split(' ').collect();
    match words[..] {
        ["population"] => crowded::cameras(),
        ["hostile"] => hostile::serve(),
        ["endure", scans] => endurance::endure(scans.parse().unwrap()),
        ["dns", ip] => faults::serve_dns(ip),
        ["camera", ip] => faults::serve_camera(ip, Fault::None),
        ["silent", ip] => faults::serve_camera(ip, Fault::Silent),
        ["frozen", ip] => faults::serve_camera(ip, Fault::NoFrames),
        ["receivers"] => watch::receive(),
        // First, for a helper is started before the first thread.
        _ => helper::play(&words)
            .or_else(|| net_ns::play(&words))
            .or_else(|| notify::play(&words))
            .or_else(|| recorders::play(&words))
            .or_else(|| live::play(&words))
            .unwrap_or_else(|| panic!("no such role: {role}")),
    }
}

/// A host of the lab, and what must be said of it.
struct Place {
    address: String,
    /// As [`compare::differences`] takes it.
    expected: Value,
    /// Whether it is told of without `--all`.
    listed: bool,
}

impl Place {
    fn new(address: impl Into<String>, expected: Value) -> Place {
        Place { address: address.into(), expected, listed: true }
    }

    /// One without pictures, told of with `--all` only.
    fn unlisted(address: impl Into<String>, expected: Value) -> Place {
        Place { listed: false, ..Place::new(address, expected) }
    }
}

/// A network with a host to scan from.
struct Lab {
    lan: Lan,
    scanner: Host,
    binary: PathBuf,
}

impl Lab {
    fn new() -> Lab {
        let mut lan = Lan::new();
        let binary = lan.folder().join("camscan");
        // Another build may be named, to compare the reports of two.
        let built = std::env::var("CAMSCAN_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_camscan").to_owned());
        std::fs::copy(built, &binary).unwrap();
        let scanner = lan.host("10.77.0.1", "02:00:00:00:00:01");
        Lab { lan, scanner, binary }
    }

    /// A path in the folder of the lab.
    fn path(&self, name: &str) -> String {
        self.lan.folder().join(name).display().to_string()
    }

    /// Writes a file into the folder of the lab and gives its path.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.lan.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// The scanner in its namespace, as root or as nobody.
    fn command(&self, as_root: bool, arguments: &[&str]) -> Command {
        let binary = self.binary.to_str().unwrap();
        let mut command = if as_root {
            self.scanner.command(binary, arguments)
        } else {
            let mut all = vec![
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all",
                binary,
            ];
            all.extend(arguments);
            self.scanner.command("setpriv", &all)
        };
        command.env("HOME", "/nonexistent").stdin(Stdio::null());
        command
    }

    /// Runs the scanner with the lab's login to its end. Where `CAMSCAN_REPORTS` names a folder, the report is kept there.
    fn camscan(&self, as_root: bool, arguments: &[&str]) -> Said {
        let login = format!("admin:{PASSWORD}");
        let said = Said::of(self.command(as_root, arguments).env("CAMSCAN_CREDENTIAL", login).output().unwrap());
        if let Ok(folder) = std::env::var("CAMSCAN_REPORTS") {
            let words: Vec<&str> = arguments.iter().copied().filter(|word| !word.starts_with('/')).collect();
            let name = words.join(" ").replace(|c: char| !c.is_alphanumeric() && c != '.', "_");
            let who = if as_root { "root" } else { "nobody" };
            std::fs::write(Path::new(&folder).join(format!("{who}_{name:.120}.json")), &said.report).unwrap();
        }
        said
    }
}

/// What the scanner said.
struct Said {
    status: Option<i32>,
    report: String,
    log: String,
}

impl Said {
    fn of(output: Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { status: output.status.code(), report: text(&output.stdout), log: text(&output.stderr) }
    }

    /// The JSON report of a scan that ended with `status`.
    fn json(&self, status: i32) -> Value {
        assert_eq!(self.status, Some(status), "{}", self.log);
        serde_json::from_str(&self.report).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.report, self.log))
    }
}

/// The device at an address, where it is reported.
fn device<'r>(report: &'r Value, address: &str) -> Option<&'r Value> {
    report["devices"].as_array()?.iter().find(|d| d["ip"] == address)
}

/// A script beside this file.
fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(name).display().to_string()
}

//! What holds for the sources, for what they are built from, and for every parser: the order of imports, licences, files of
//! real devices read as expected, and any bytes taken without a panic.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what went wrong by failing"
)]

mod architecture;
mod captures;
mod dependencies;
mod fuzz_smoke;
#[path = "../trial/mod.rs"]
#[expect(dead_code, reason = "the lab needs more of it")]
mod trial;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = trial::trials! {
        beside fuzz_smoke::every_capture_is_taken_by_every_parser;
        beside fuzz_smoke::captures_with_bytes_changed_are_taken;
        beside fuzz_smoke::any_bytes_are_taken;
        beside fuzz_smoke::every_parser_has_its_fuzz_target;
        beside fuzz_smoke::every_wire_is_among_the_parsers;
        beside captures::every_file_of_the_repository_is_read_as_expected;
        beside captures::every_capture_is_read_as_expected;
        beside dependencies::every_licence_is_one_that_fits_ours;
        beside dependencies::nothing_comes_in_two_versions_without_a_reason;
        beside dependencies::everything_comes_from_the_registry;
        beside architecture::imports_point_down;
        beside architecture::files_do_not_import_each_other_in_a_circle;
        beside architecture::what_is_pure_has_no_runtime_and_no_clock;
        beside architecture::a_protocols_codec_imports_what_is_pure;
        beside architecture::a_client_imports_no_detector_and_no_analyser;
        beside architecture::protocols_build_on_what_is_listed;
        beside architecture::protocols_are_folders;
        beside architecture::a_module_with_files_of_its_own_is_a_mod_rs;
        beside architecture::long_tests_have_a_file_of_their_own;
        beside architecture::words_stay_where_they_belong;
        beside architecture::websockets_are_opened_by_their_lease;
        beside architecture::no_file_is_a_giant;
        beside architecture::the_reader_of_sources_reads_them;
    };
    trial::run(&Arguments::from_args(), trials)
}

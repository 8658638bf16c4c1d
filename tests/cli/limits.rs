//! A machine that gives little: few open files, short files, little memory, a small stack, no home, nowhere to write. A
//! sentence and an exit code say so, and nothing half-made stays behind.

use std::path::Path;
use std::process::Command;

use crate::env::{Cameras, QUICK, Run, TestEnv, camera};

/// Runs the program in a shell that sets a limit first.
fn limited(env: &TestEnv, limit: &str, line: &str) -> Run {
    let program = env.command(&line.split_whitespace().collect::<Vec<_>>());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit}; exec \"$@\""), "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(program.get_current_dir().unwrap());
    env.end(&mut command)
}

#[test]
fn too_few_open_files_are_told_before_anything_is_asked() {
    let env = TestEnv::new();
    let run = limited(&env, "ulimit -n 8", &format!("scan 127.88.92.1 -p 1 {QUICK}"));
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{}", run.err);
    insta::assert_snapshot!(run.err, @r#"
    error: this process may open too few files: too many open files
    hint: raise the limit: ulimit -n 256
    "#);
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_nothing_stays() {
    let (env, cameras) = (TestEnv::new(), Cameras::one(camera(92, 2)));
    let run = limited(&env, "ulimit -f 1", &cameras.scan("-o report.json"));
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("error: report.json cannot be written: file too large\nhint: "), "{}", run.err);
    assert_eq!(env.names(), [""; 0]);
}

#[test]
fn a_small_stack_grows_where_it_may() {
    let (env, cameras) = (TestEnv::new(), Cameras::one(camera(92, 3)));
    let run = limited(&env, "ulimit -S -s 128", &cameras.scan("-f json"));
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(run.json()["devices"].as_array().unwrap().len(), 1);
}

/// What the program itself takes of the address space, in KiB: the segments that its ELF header has loaded. Below that the
/// system ends it before anything of it runs.
fn image_kib(program: &Path) -> u64 {
    let bytes = std::fs::read(program).unwrap();
    let number = |at: usize, length: usize| {
        bytes[at..at + length].iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (table, entry, count) = (number(32, 8), number(54, 2), number(56, 2));
    let headers = (0..count).map(|n| usize::try_from(table + n * entry).unwrap());
    headers.filter(|at| number(*at, 4) == 1).map(|at| number(at + 40, 8)).sum::<u64>() / 1024
}

/// Little memory or stack ends in a result or in a sentence, never in a signal, and nothing half-made stays behind.
#[test]
fn little_memory_or_stack_is_a_sentence() {
    let (env, cameras) = (TestEnv::new(), Cameras::one(camera(92, 5)));
    // Beside it: the C library, and what the loader needs.
    let least = image_kib(Path::new(env.command::<&str>(&[]).get_program())) + (8 << 10);
    let memory =
        [64_000, 128_000, 256_000, 400_000, 800_000, least, least + (4 << 10), least + (16 << 10), least + (48 << 10)];
    let memory = memory.into_iter().filter(|kib| *kib >= least).map(|kib| format!("ulimit -v {kib}"));
    let stack = [64, 128, 256].map(|kib| format!("ulimit -S -s {kib} && ulimit -H -s {kib}"));
    let mut refused = 0;
    for limit in memory.chain(stack) {
        for line in ["--version".to_owned(), cameras.scan("-o report.json"), cameras.scan("--store=s.sqlite")] {
            let env = TestEnv::new();
            let run = limited(&env, &limit, &line);
            assert!(matches!(run.code, Some(0 | 1)), "{limit}, {line}: {run:?}");
            for word in ["panicked", "overflow", "internal error", "allocation of"] {
                assert!(!run.err.contains(word), "{limit}, {line}: {run:?}");
            }
            let sentences = run.err.lines().filter(|text| text.starts_with("error: this process may use too ")).count();
            assert_eq!(sentences, usize::from(run.code == Some(1)), "{limit}, {line}: {run:?}");
            let names = env.names();
            let is_known = |name: &String| name == "report.json" || name.starts_with("s.sqlite");
            assert!(names.iter().all(is_known) && (names.is_empty() || run.code == Some(0)), "{limit}: {names:?}");
            refused += sentences;
        }
    }
    assert!(refused >= 3 * 3, "a stack that is far too small is refused");
}

#[test]
fn without_a_home_and_a_place_to_write_it_is_told_what_is_missing() {
    let env = TestEnv::new();
    for line in ["scan 127.88.92.4 -p 1 -o report.json", "scan 127.88.92.4 -p 1 --store=s.sqlite", "watch 127.88.92.4"]
    {
        let mut command = env.command(&line.split_whitespace().collect::<Vec<_>>());
        // Nothing can be made there, by root either.
        let run = env.end(command.env_remove("HOME").current_dir("/proc"));
        assert!(matches!(run.code, Some(1 | 2)), "{line}: {run:?}");
        assert!(run.err.starts_with("error: ") && !run.err.contains("internal error"), "{line}: {}", run.err);
    }
}

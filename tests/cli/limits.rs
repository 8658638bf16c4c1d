//! A machine that gives little: few open files, short files, a small stack, no home, nowhere to write. It is told in a
//! sentence, by an exit code, and nothing half-made stays behind.

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

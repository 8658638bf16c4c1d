//! What holds for every format, and the files they are written to.

use super::*;

fn text(format: Format, report: &Report) -> String {
    String::from_utf8(render(format, &Options::default(), report).unwrap()).unwrap()
}

fn shown(error: OutputError) -> String {
    crate::model::problem::Problem::from(error).to_string()
}

fn file_in(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

fn names_in(folder: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    for report in [sample::report(), sample::hostile_report()] {
        for format in FORMATS.iter() {
            let render = || render(format, &Options::default(), &report).unwrap();
            assert_eq!(render(), render(), "{format}");
        }
    }
}

#[test]
fn json_is_read_back_as_it_was() {
    for report in [sample::report(), sample::hostile_report()] {
        assert_eq!(serde_json::from_str::<Report>(&text(&json::FORMAT, &report)).unwrap(), report);
        let lines = text(&jsonl::FORMAT, &report);
        let (last, devices) = lines.lines().collect::<Vec<_>>().split_last().map(|(l, d)| (*l, d.to_vec())).unwrap();
        let devices: Vec<crate::model::Device> = devices.iter().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(devices, report.devices);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(last).unwrap(),
            serde_json::json!({ "scan": report.scan })
        );
    }
}

#[test]
fn nothing_is_touched_before_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(&folder, "out.json");
    let output = OutputFile::check(&path).unwrap();
    assert_eq!(names_in(&folder), [""; 0], "the check leaves nothing behind");
    output.commit(b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    OutputFile::check(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new", "the check keeps the old content");
    assert_eq!(names_in(&folder), ["out.json"]);
}

#[test]
fn a_folder_or_a_place_in_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = shown(OutputFile::check(folder.path()).unwrap_err());
    assert!(said.contains("is a folder\nhint: name a file in it"), "{said}");
    let said = shown(OutputFile::check(&file_in(&folder, "no/such/out.json")).unwrap_err());
    assert!(said.contains("does not exist\nhint: create it first: mkdir -p"), "{said}");
    assert!(OutputFile::check(Path::new("")).is_err());
    assert!(OutputFile::check(&file_in(&folder, "new/")).is_err());
    assert_eq!(names_in(&folder), [""; 0]);
}

#[test]
fn standard_output_is_no_file() {
    let output = OutputFile::check(Path::new("-")).unwrap();
    assert!(output.is_stdout());
    assert!(!Path::new("-").exists());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn mode_and_link_of_the_old_file_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(file_in(&folder, "real")).unwrap();
        let real = file_in(&folder, "real/out.csv");
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        let link = file_in(&folder, "link.csv");
        symlink("real/out.csv", &link).unwrap();
        OutputFile::check(&link).unwrap().commit(b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(file_in(&folder, "real")).unwrap().count(), 1);
    }

    #[test]
    fn a_link_to_a_file_not_there_yet_makes_it_there() {
        let folder = tempfile::tempdir().unwrap();
        symlink("later.json", file_in(&folder, "now.json")).unwrap();
        OutputFile::check(&file_in(&folder, "now.json")).unwrap().commit(b"{}").unwrap();
        assert_eq!(fs::read(file_in(&folder, "later.json")).unwrap(), b"{}");
        symlink("b", file_in(&folder, "a")).unwrap();
        symlink("a", file_in(&folder, "b")).unwrap();
        assert!(matches!(OutputFile::check(&file_in(&folder, "a")), Err(OutputError::LinkLoop(_))));
    }

    #[test]
    fn a_device_is_written_to_and_never_replaced() {
        let before = fs::metadata("/dev/null").unwrap();
        OutputFile::check(Path::new("/dev/null")).unwrap().commit(b"gone").unwrap();
        assert_eq!(fs::metadata("/dev/null").unwrap().rdev(), before.rdev());
        // Always full (full(4)).
        let said = shown(OutputFile::check(Path::new("/dev/full")).unwrap().commit(b"more").unwrap_err());
        assert!(said.contains("hint: the disk is full"), "{said}");
    }

    #[test]
    fn a_failed_commit_keeps_the_old_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = file_in(&folder, "out.json");
        fs::write(&path, "old").unwrap();
        let output = OutputFile::check(&path).unwrap();
        // Renaming onto a folder fails, whoever asks.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "old").unwrap();
        assert!(output.commit(b"new").is_err());
        assert_eq!(fs::read(path.join("kept")).unwrap(), b"old");
        assert_eq!(names_in(&folder), ["out.json"]);
    }
}

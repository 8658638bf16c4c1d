//! Reads the signatures and stream paths a user keeps in a folder.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::exit::JobFailed;
use crate::identify::signature::{SignatureError, Signatures};
use crate::model::problem::{Problem, io_reason};
use crate::text::counted;
use crate::tool::read as bounded;

/// The most files of signatures in a folder.
const MOST_FILES: usize = 256;
/// The most bytes of each.
const MOST_BYTES: u64 = 1 << 20;

/// The signatures that come with the program, and those of the `*.yaml` and `*.yml` files in `folder`.
///
/// # Errors
/// A folder or file that cannot be read; a file whose signatures are wrong, with file, line and what was expected.
pub fn load(folder: Option<&Path>) -> Result<Arc<Signatures>, SignatureError> {
    let builtin = Signatures::builtin();
    match folder {
        Some(folder) => builtin.with_files(&read(folder)?).map(Arc::new),
        None => Ok(builtin),
    }
}

/// Checks each file of a folder by itself, so that all that is wrong is named at once; then all of them together.
///
/// # Errors
/// When the folder cannot be read, or a file is wrong.
pub fn check(folder: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let files = read(folder).map_err(Problem::from)?;
    let builtin = Signatures::builtin();
    let mut wrong = 0;
    for file in &files {
        let shown = file.0.display();
        match builtin.with_files(std::slice::from_ref(file)) {
            Ok(all) => {
                let own = all.len().saturating_sub(builtin.len());
                let signatures = counted(own, "signature", "signatures");
                match all.stream_urls().len().saturating_sub(builtin.stream_urls().len()) {
                    0 => writeln!(out, "{shown}: {signatures}")?,
                    paths => writeln!(out, "{shown}: {signatures}, {}", counted(paths, "stream path", "stream paths"))?,
                }
            }
            Err(error) => {
                wrong += 1;
                writeln!(out, "{}", Problem::from(error))?;
            }
        }
    }
    if files.is_empty() {
        return Err(JobFailed(
            Problem::new(format!("there is no file of signatures in {}", folder.display()))
                .hint("their names end in .yaml or .yml"),
        )
        .into());
    }
    if wrong > 0 {
        return Err(JobFailed(Problem::new(format!("{wrong} of {} files cannot be used", files.len()))).into());
    }
    load(Some(folder)).map_err(|error| JobFailed(error.into()))?;
    Ok(())
}

/// The path and text of each file, in the order of their names.
fn read(folder: &Path) -> Result<Vec<(PathBuf, String)>, SignatureError> {
    let unreadable = |path: &Path, why: String| SignatureError {
        file: path.to_owned(),
        line: None,
        message: format!("cannot be read: {why}"),
        hint: "a folder of YAML files with signatures is expected".into(),
    };
    let root = folder.canonicalize().map_err(|e| unreadable(folder, io_reason(&e)))?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, io_reason(&e)))? {
        let path = entry.map_err(|e| unreadable(folder, io_reason(&e)))?.path();
        if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            if files.len() >= MOST_FILES {
                return Err(unreadable(folder, format!("there are more than {MOST_FILES} files in it")));
            }
            let text = read_in(&root, &path).map_err(|why| unreadable(&path, why))?;
            files.push((path, text));
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file of a folder; why not, where it is none, or leads out of the folder.
fn read_in(root: &Path, path: &Path) -> Result<String, String> {
    let real = path.canonicalize().map_err(|e| io_reason(&e))?;
    if !real.starts_with(root) {
        return Err("it is a link that leads out of the folder".to_owned());
    }
    // Before it is opened: opening a pipe would wait for its writer.
    if !real.metadata().map_err(|e| io_reason(&e))?.is_file() {
        return Err("it is no file".to_owned());
    }
    bounded::text(&real, MOST_BYTES).map_err(|e| format!("it {}", e.reason()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_yaml_files_add_to_those_of_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("acme.yaml", "- {field: realm, regex: '^ACME', vendor: ACME, examples: [ACME 1]}\n");
        put("more.yml", "- {field: realm, regex: '^MORE', vendor: More, examples: [MORE]}\n");
        put("notes.txt", "not read");
        assert_eq!(load(Some(folder.path())).unwrap().len(), Signatures::builtin().len() + 2);
        put("acme.yaml", "- {field: realm}\n");
        let error = load(Some(folder.path())).unwrap_err();
        assert_eq!((error.file, error.line), (folder.path().join("acme.yaml"), Some(1)));
        assert!(load(Some(&folder.path().join("nowhere"))).is_err());
    }

    #[test]
    fn what_is_no_small_file_of_the_folder_is_not_read_and_nothing_of_it_is_said() {
        use std::os::unix::fs::symlink;
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("acme.yaml");
        let secret = other.path().join("secret");
        fs::write(&secret, "root:secret-part\n").unwrap();
        let said = || {
            let error = load(Some(folder.path())).unwrap_err();
            fs::remove_file(&path).unwrap();
            assert_eq!(error.file, path);
            error.message
        };
        symlink(&secret, &path).unwrap();
        insta::assert_snapshot!(said(), @"cannot be read: it is a link that leads out of the folder");
        symlink("/dev/zero", &path).unwrap();
        insta::assert_snapshot!(said(), @"cannot be read: it is a link that leads out of the folder");
        fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        insta::assert_snapshot!(said(), @"cannot be read: it is larger than 1 MiB");
        fs::write(&path, b"- {\xff").unwrap();
        insta::assert_snapshot!(said(), @"cannot be read: it is not UTF-8 (line 1)");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        insta::assert_snapshot!(said(), @"cannot be read: it is no file");
        // A link within the folder is one of its files.
        let text = "- {field: realm, regex: '^ACME', vendor: ACME, examples: [ACME 1]}\n";
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/1"), text).unwrap();
        symlink("data/1", &path).unwrap();
        assert_eq!(load(Some(folder.path())).unwrap().len(), Signatures::builtin().len() + 1);
        (0..300).for_each(|n| fs::write(folder.path().join(format!("{n}.yaml")), "").unwrap());
        let error = load(Some(folder.path())).unwrap_err();
        assert_eq!(error.message, "cannot be read: there are more than 256 files in it");
    }
}

//! Reads the signatures and stream paths a user keeps in a folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::exit::JobFailed;
use crate::identify::signature::{SignatureError, Signatures};
use crate::model::problem::Problem;
use crate::text::counted;

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
    let unreadable = |path: &Path, error: io::Error| SignatureError {
        file: path.to_owned(),
        line: None,
        message: format!("cannot be read: {error}"),
        hint: "a folder of YAML files with signatures is expected".into(),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
        let path = entry.map_err(|e| unreadable(folder, e))?.path();
        if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            let text = fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
            files.push((path, text));
        }
    }
    files.sort();
    Ok(files)
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
}

//! The sources as the rules need them: every file's words without comments, strings and tests, and the files it imports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A path like `protocol::http::wire`, from the crate's root.
pub type ModulePath = Vec<String>;

/// A file of `src/`, without its tests.
pub struct Source {
    /// From `src/`, with slashes.
    pub file: String,
    pub module: ModulePath,
    /// Identifiers, `::`, and every other character that is not blank; each with its line.
    words: Vec<(String, usize)>,
    /// Names that stand for paths: modules of the file, and what `use` names.
    names: BTreeMap<String, ModulePath>,
    /// Every path that is written out, as it is written but from the root.
    paths: Vec<ModulePath>,
    /// Lines, its tests left out.
    pub lines: usize,
}

/// All files, by their modules.
pub struct Sources(BTreeMap<ModulePath, Source>);

impl Sources {
    pub fn read() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let read = |file: PathBuf| {
            let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(file).unwrap())
        };
        let files: Vec<_> = files(&root).into_iter().map(read).collect();
        assert!(files.len() > 20, "the sources are not where they were");
        Sources::of(files)
    }

    /// The sources of `(file, text)`; modules that are compiled for tests alone are left out.
    pub fn of(files: Vec<(String, String)>) -> Sources {
        let mut tests: BTreeSet<ModulePath> = BTreeSet::new();
        let mut sources = BTreeMap::new();
        for (file, text) in files {
            let (source, test_modules) = Source::of(file, &text);
            tests.extend(test_modules.into_iter().map(|name| [&source.module[..], &[name]].concat()));
            sources.insert(source.module.clone(), source);
        }
        sources.retain(|module, _| !(1..=module.len()).any(|length| tests.contains(&module[..length])));
        Sources(sources)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.values()
    }

    /// The files that a file imports, but for itself.
    pub fn imports<'s>(&'s self, source: &'s Source) -> BTreeSet<&'s Source> {
        let all = source.names.values().chain(&source.paths);
        all.filter_map(|path| self.home(path, 0)).filter(|to| to.module != source.module).collect()
    }

    /// The file a path leads to, through names that others re-export.
    fn home(&self, path: &[String], depth: usize) -> Option<&Source> {
        let known = (0..=path.len()).rev().find(|length| self.0.contains_key(&path[..*length]))?;
        let source = &self.0[&path[..known]];
        match path.get(known).and_then(|name| source.names.get(name)) {
            Some(target) if depth < 8 && *target != path[..=known] => {
                self.home(&[target, &path[known + 1..]].concat(), depth + 1).or(Some(source))
            }
            _ => Some(source),
        }
    }

    /// Groups of files that import each other, in a circle. A folder's `mod.rs` may name what is in the folder.
    pub fn circles(&self) -> Vec<Vec<&str>> {
        let next = |source| -> Vec<&Source> {
            self.imports(source).into_iter().filter(|to| !to.module.starts_with(&source.module)).collect()
        };
        let reached: BTreeMap<&Source, BTreeSet<&Source>> = self
            .iter()
            .map(|source| {
                let (mut seen, mut open) = (BTreeSet::new(), next(source));
                while let Some(to) = open.pop() {
                    if seen.insert(to) {
                        open.extend(next(to));
                    }
                }
                (source, seen)
            })
            .collect();
        let mut circles: Vec<Vec<&str>> = reached
            .iter()
            .filter(|(source, to)| to.contains(*source))
            .map(|(source, to)| to.iter().filter(|t| reached[*t].contains(source)).map(|t| &*t.file).collect())
            .collect();
        circles.sort();
        circles.dedup();
        circles
    }
}

impl Source {
    /// The file, and its modules that are compiled for tests alone.
    fn of(file: String, text: &str) -> (Source, Vec<String>) {
        let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
        let module: ModulePath = if stem == "lib" { vec![] } else { stem.split('/').map(str::to_owned).collect() };
        let (words, test_modules, test_lines) = without_tests(words(text));
        let mut source = Source { file, module, words, names: BTreeMap::new(), paths: vec![], lines: 0 };
        source.lines = text.lines().count() - test_lines;
        source.read_paths();
        (source, test_modules)
    }

    /// Whether words stand in the file one after the other, as in `Instant::now`.
    pub fn has(&self, wanted: &str) -> bool {
        let wanted = words(wanted);
        self.words.windows(wanted.len()).any(|some| some.iter().zip(&wanted).all(|(a, b)| a.0 == b.0))
    }

    /// Its room: the first part of its module.
    pub fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    fn read_paths(&mut self) {
        let words: Vec<&str> = self.words.iter().map(|(word, _)| word.as_str()).collect();
        let (mut names, mut uses, mut inline) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut at = 0;
        while at < words.len() {
            match words[at] {
                "mod" if words.get(at + 2) == Some(&";") => {
                    names.insert(words[at + 1].to_owned(), [&self.module[..], &[words[at + 1].to_owned()]].concat());
                    at += 2;
                }
                "use" => {
                    let mut leaves = Vec::new();
                    at = use_tree(&words, at + 1, &[], &mut leaves);
                    uses.extend(leaves);
                }
                word if is_name(word) => {
                    let mut path = vec![word.to_owned()];
                    while words.get(at + 1) == Some(&"::") && words.get(at + 2).is_some_and(|word| is_name(word)) {
                        path.push(words[at + 2].to_owned());
                        at += 2;
                    }
                    at += 1;
                    inline.push(path);
                }
                _ => at += 1,
            }
        }
        for (name, path) in uses {
            if let Some(path) = self.absolute(&path, &names) {
                names.insert(name, path);
            }
        }
        let inline = inline.iter().filter(|path| path.len() > 1);
        self.paths = inline.filter_map(|path| self.absolute(path, &names)).collect();
        self.names = names;
    }

    /// A path from the root; none when it leads out of the crate.
    fn absolute(&self, path: &[String], names: &BTreeMap<String, ModulePath>) -> Option<ModulePath> {
        let mut base = self.module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" | "camscan" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            name => {
                base = names.get(name)?.clone();
                rest = &path[1..];
            }
        }
        Some([&base[..], rest].concat())
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        self.module == other.module
    }
}
impl Eq for Source {}
impl PartialOrd for Source {
    fn partial_cmp(&self, other: &Source) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Source {
    fn cmp(&self, other: &Source) -> std::cmp::Ordering {
        self.module.cmp(&other.module)
    }
}

/// All sources in a folder and below it.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let within = |entry: PathBuf| if entry.is_dir() { files(&entry) } else { vec![entry] };
    entries.flat_map(within).filter(|file| file.extension().is_some_and(|e| e == "rs")).collect()
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The words of a source text; comments and blanks are left out, and so is what literals hold.
fn words(text: &str) -> Vec<(String, usize)> {
    let mut words = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let quote = rest.trim_start_matches(['b', 'c', 'r']).trim_start_matches('#');
        let prefix = rest.len() - quote.len();
        let is_raw = rest[..prefix].contains('r');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if quote.starts_with('"') && (prefix == 0 || is_raw || !rest[..prefix].contains('#')) && prefix < 4 {
            words.push(("\"\"".to_owned(), line));
            let end = if is_raw {
                let close = format!("\"{}", "#".repeat(rest[..prefix].matches('#').count()));
                quote[1..].find(&close).map(|at| at + 1 + close.len())
            } else {
                closing(&quote[1..], '"').map(|at| at + 2)
            };
            prefix + end.unwrap_or(quote.len())
        } else if c == '\'' && (rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'')) {
            closing(&rest[1..], '\'').map_or(rest.len(), |at| at + 2)
        } else if is_name(rest) {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.push((rest[..length].to_owned(), line));
            length
        } else if rest.starts_with("::") {
            words.push(("::".to_owned(), line));
            2
        } else {
            if !c.is_whitespace() {
                words.push((c.to_string(), line));
            }
            c.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    words
}

/// Where a literal ends that begins with `text`.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices()
        .find(|(_, c)| {
            let ends = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        })
        .map(|(at, _)| at)
}

/// Words without items under `#[cfg(test)]`, the modules among those that are files, and how many lines went.
fn without_tests(words: Vec<(String, usize)>) -> (Vec<(String, usize)>, Vec<String>, usize) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules, mut lines) = (Vec::new(), Vec::new(), 0);
    let mut at = 0;
    while at < words.len() {
        let here = &words[at..];
        if !(here.len() > MARK.len() && here.iter().zip(MARK).all(|((word, _), mark)| word == mark)) {
            kept.push(words[at].clone());
            at += 1;
            continue;
        }
        if let Some(module) = here.iter().position(|(word, _)| word == "mod")
            && here.get(module + 2).is_some_and(|(word, _)| word == ";")
            && here[..module].iter().all(|(word, _)| word != "{" && word != ";")
        {
            modules.push(here[module + 1].0.clone());
        }
        // The item ends with its first block, or with a semicolon before any.
        let mut depth = 0;
        let mut length = MARK.len();
        for (word, _) in &here[MARK.len()..] {
            length += 1;
            depth += i32::from(["{", "(", "["].contains(&word.as_str()));
            depth -= i32::from(["}", ")", "]"].contains(&word.as_str()));
            if depth == 0 && (word == "}" || word == ";" || word == ",") {
                break;
            }
        }
        lines += here[length - 1].1 - here[0].1 + 1;
        at += length;
    }
    (kept, modules, lines)
}

/// Reads a tree of `use` from `at` on: every leaf as the name it gets and its path. Gives where the tree ends.
fn use_tree(words: &[&str], mut at: usize, before: &[String], leaves: &mut Vec<(String, Vec<String>)>) -> usize {
    let mut path = before.to_vec();
    while at < words.len() {
        match words[at] {
            "{" => {
                at += 1;
                while words.get(at).is_some_and(|word| *word != "}") {
                    let end = use_tree(words, at, &path, leaves);
                    // A comma, or what is no tree.
                    at = end + usize::from(end == at || words.get(end) == Some(&","));
                }
                return at + 1;
            }
            "::" => at += 1,
            "as" => {
                leaves.push((words[at + 1].to_owned(), path));
                return at + 2;
            }
            word if is_name(word) || word == "*" => {
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                at += 1;
            }
            _ => break,
        }
    }
    if let Some(last) = path.last() {
        // A glob gives no name of its own, but imports.
        let name = if last == "*" { format!("*{}", leaves.len()) } else { last.clone() };
        leaves.push((name, path));
    }
    at
}

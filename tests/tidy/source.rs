//! The files that are checked, and what a check sees of each.

use crate::lexer::{blank, is_word};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Folders and kinds of files that hold data or the words of others: what is in them is not ours to tidy.
const DATA: [&str; 8] =
    ["LICENSE-", "tests/fixtures/", "fuzz/corpus/", "/data/", ".jsonl", ".gz", ".bin", "Cargo.lock"];

/// A file of the tree.
#[derive(Debug)]
pub struct Source {
    /// The path from the top of the tree, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The code: comments, strings and characters are blank.
    pub code: String,
    /// The code without the items under `#[cfg(test)]`, which are blank.
    pub shipped: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { blank(text) } else { String::new() };
        let shipped = without_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is a part of the library or of its program.
    pub fn is_src(&self) -> bool {
        self.is_rust() && self.path.starts_with("src/")
    }

    /// The folder right below `src`, or the file that stands in its place.
    pub fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split_once('/').map_or(inside.trim_end_matches(".rs"), |(room, _)| room))
    }

    /// A finding at a line, counted from zero.
    pub fn finding(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }
}

/// Every text file that git knows or would add; without git, every one that is not hidden and not built.
pub fn tree() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>())
        .unwrap_or_default();
    let mut paths = listed;
    if !paths.iter().any(|path| path == "Cargo.toml") {
        paths = Vec::new();
        walk(root, "", &mut paths);
    }
    paths.sort();
    paths.dedup();
    paths.retain(|path| !DATA.iter().any(|data| path.contains(data)));
    let read = |path: &String| Some(Source::new(path, &fs::read_to_string(root.join(path)).ok()?));
    paths.iter().filter_map(read).filter(|source| !source.text.contains('\0')).collect()
}

fn walk(root: &Path, below: &str, paths: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(below)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match is_folder {
            true if name == "target" || name.starts_with('.') => {}
            true => walk(root, &path, paths),
            false => paths.push(path),
        }
    }
}

/// The line of a byte, counted from zero.
pub fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count()
}

/// Where a name or a call stands in code, as whole words.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let joins_left = word.starts_with(is_word) && code[..at].ends_with(is_word);
        let joins_right = word.ends_with(is_word) && code[at + word.len()..].starts_with(is_word);
        !joins_left && !joins_right
    })
}

/// The name that code begins with, after blanks.
pub fn first_word(code: &str) -> &str {
    let code = code.trim_start();
    &code[..code.find(|c| !is_word(c)).unwrap_or(code.len())]
}

/// The end of the item that begins at `at`: after its `;`, or after the brace that closes its first one.
pub fn item_end(code: &str, at: usize) -> usize {
    let (mut braces, mut others) = (0, 0);
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            _ => {}
        }
        if (c == '}' && braces <= 0) || (c == ';' && braces == 0 && others <= 0) {
            return at + offset + 1;
        }
    }
    code.len()
}

/// Where the items under `#[cfg(test)]` are.
pub fn test_items(code: &str) -> Vec<std::ops::Range<usize>> {
    let mut items = Vec::new();
    for attribute in ["#[cfg(test)]", "#[cfg(all(test,"] {
        for (at, _) in code.match_indices(attribute) {
            let after = at + code[at..].find(']').map_or(attribute.len(), |end| end + 1);
            items.push(at..item_end(code, after));
        }
    }
    items
}

fn without_tests(code: &str) -> String {
    let items = test_items(code);
    let hidden = |at: usize| items.iter().any(|item| item.contains(&at));
    code.char_indices().map(|(at, c)| if c != '\n' && hidden(at) { ' ' } else { c }).collect()
}

#[test]
fn items_under_cfg_test_are_not_shipped() {
    let source = Source::new("src/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n");
    assert!(source.shipped.contains("fn a") && source.shipped.contains("fn c"));
    assert!(!source.shipped.contains("fn b") && source.code.contains("fn b"));
    assert_eq!(source.shipped.lines().count(), source.text.lines().count());
    assert!(!Source::new("src/a.rs", "#[cfg(all(test, loom))]\nmod tests;\n").shipped.contains("mod"));
}

#[test]
fn words_are_whole() {
    let found = |code, word| words(code, word).collect::<Vec<_>>();
    assert_eq!(found("eprintln!() println!()", "println!"), [12]);
    assert_eq!(found("unsafe_op unsafe {}", "unsafe"), [10]);
    assert_eq!(item_end("fn a(x: [u8; 2]) { { } } b", 0), 24);
    assert_eq!((first_word(" name::of"), line_of("a\nb", 2)), ("name", 1));
}

#[test]
fn the_tree_has_its_files() {
    let tree = tree();
    for path in ["Cargo.toml", "src/lib.rs", "tests/tidy/main.rs"] {
        assert!(tree.iter().any(|source| source.path == path), "{path} is not in the list");
    }
    let mut walked = Vec::new();
    walk(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut walked);
    assert!(walked.iter().any(|path| path == "src/lib.rs"));
}

//! The floors of the house: an arrow points only down, and every file is reached.

use crate::source::{Source, first_word, item_end, line_of, test_items, words};
use std::collections::BTreeMap;
use std::ops::Range;

/// The rooms below `src` by floor, lowest first.
const FLOORS: [&str; 11] =
    ["vocabulary", "format", "disk", "segment", "log", "index", "engine", "adapters", "store", "state", "hosts"];

/// The room that stands beside the others: it may use all up to the state, and none but tests may use it.
const TESTING: &str = "testing";

/// Paths that lead up, into `testing`, past the rooms, or out of a room that has no floor.
pub fn upward_paths(source: &Source) -> Vec<String> {
    let room = source.room().unwrap_or_default();
    if !source.is_src() || room == "lib" {
        return Vec::new();
    }
    let Some(own) = floor_of(room) else {
        let what = format!("the room `{room}` has no floor: add it to FLOORS in tests/tidy/floors.rs");
        return vec![source.finding(0, what)];
    };
    let hidden = test_items(&source.code);
    let mut findings = Vec::new();
    for (at, target) in targets(source) {
        let in_test = hidden.iter().any(|item| item.contains(&at));
        let what = match floor_of(&target) {
            _ if target == room => continue,
            _ if target == TESTING && in_test => continue,
            _ if target == TESTING => "only tests may use `testing`: move what is needed to a room".to_owned(),
            Some(floor) if floor <= own => continue,
            Some(_) => format!("`{room}` is below `{target}`: move the shared part down, or the use of it up"),
            None => format!("`crate::{target}` names no room: write the path through its room"),
        };
        findings.push(source.finding(line_of(&source.code, at), what));
    }
    findings
}

fn floor_of(room: &str) -> Option<usize> {
    match room {
        TESTING => floor_of("state"),
        "main" | "bin" => floor_of("hosts"),
        _ => FLOORS.iter().position(|&name| name == room),
    }
}

/// What follows the crate's root in every path of a file, and where.
fn targets(source: &Source) -> Vec<(usize, String)> {
    let code = &source.code;
    let mut found = Vec::new();
    for at in words(code, "crate::") {
        found.extend(heads(code, at + "crate::".len()));
    }
    for at in words(code, "super::").filter(|&at| !code[..at].ends_with("super::")) {
        let path = &code[at..];
        let inner = path.trim_start_matches("super::");
        let steps = (path.len() - inner.len()) / "super::".len();
        if steps >= depth(source, at) {
            found.extend(heads(code, code.len() - inner.len()));
        }
    }
    found
}

/// The first names of the path that goes on at `at`: one, or those of a group in braces.
fn heads(code: &str, at: usize) -> Vec<(usize, String)> {
    let rest = &code[at..];
    if rest.starts_with('*') {
        return vec![(at, "*".to_owned())];
    }
    if !rest.starts_with('{') {
        return vec![(at, first_word(rest).to_owned())];
    }
    let (mut depth, mut found) = (0, Vec::new());
    for (offset, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        let head = first_word(&rest[offset + 1..]);
        if depth == 1 && matches!(c, '{' | ',') && !head.is_empty() {
            found.push((at + offset, head.to_owned()));
        }
    }
    found
}

/// How many modules a place is in.
fn depth(source: &Source, at: usize) -> usize {
    let path = source.path.trim_start_matches("src/").trim_end_matches(".rs");
    let files = path.trim_end_matches("/mod").split('/').count();
    files + modules(&source.code).iter().filter(|module| module.body.contains(&at)).count()
}

/// A module that a file declares.
struct Module {
    name: String,
    body: Range<usize>,
    is_inline: bool,
}

fn modules(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for at in words(code, "mod") {
        let name = first_word(&code[at + 3..]);
        let rest = code[at + 3..].trim_start().trim_start_matches(name).trim_start();
        if !name.is_empty() && rest.starts_with([';', '{']) {
            found.push(Module {
                name: name.to_owned(),
                body: at..item_end(code, at),
                is_inline: rest.starts_with('{'),
            });
        }
    }
    found
}

/// The files of the library and its programs, and whether each is there for tests alone.
pub fn reached(tree: &[Source]) -> BTreeMap<String, bool> {
    let manifest = tree.iter().find(|source| source.path == "Cargo.toml").map_or("", |source| &source.text);
    let mut open = vec!["src/lib.rs".to_owned(), "src/main.rs".to_owned()];
    open.extend(tree.iter().map(|source| source.path.clone()).filter(|path| path.starts_with("src/bin/")));
    open.extend(manifest.split('"').filter(|text| text.starts_with("src/")).map(str::to_owned));
    let roots = open.clone();
    let mut reached = BTreeMap::new();
    let mut open: Vec<(String, bool)> = open.into_iter().map(|path| (path, false)).collect();
    while let Some((path, for_tests)) = open.pop() {
        let Some(source) = tree.iter().find(|source| source.path == path) else { continue };
        if reached.get(&path).is_some_and(|known| *known <= for_tests) {
            continue;
        }
        let (folder, stem) = path.trim_end_matches(".rs").rsplit_once('/').unwrap_or(("", &path));
        let folder =
            if stem == "mod" || roots.contains(&path) { folder.to_owned() } else { format!("{folder}/{stem}") };
        let hidden = test_items(&source.code);
        for module in modules(&source.code).into_iter().filter(|module| !module.is_inline) {
            let for_tests = for_tests || hidden.iter().any(|item| item.contains(&module.body.start));
            open.push((format!("{folder}/{}.rs", module.name), for_tests));
            open.push((format!("{folder}/{}/mod.rs", module.name), for_tests));
        }
        reached.insert(path, for_tests);
    }
    reached
}

/// Files in `src` that no `mod` declares.
pub fn orphans(tree: &[Source]) -> Vec<String> {
    let reached = reached(tree);
    let is_orphan = |source: &&Source| source.is_src() && !reached.contains_key(&source.path);
    let finding = |source: &Source| source.finding(0, "no `mod` declares this file: declare it or remove it");
    tree.iter().filter(is_orphan).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        upward_paths(&Source::new(path, text)).len()
    }

    #[test]
    fn an_arrow_up_is_found_and_one_down_is_not() {
        assert_eq!(found("src/format/frame.rs", "use crate::vocabulary::event::NewEvent;\nuse super::digest;\n"), 0);
        assert_eq!(found("src/format/frame.rs", "use crate::disk::Disk;\n"), 1);
        assert_eq!(found("src/format/frame.rs", "fn a() { crate::engine::b() }\n"), 1);
        assert_eq!(found("src/format/frame.rs", "//! See crate::engine.\nconst A: &str = \"crate::engine::b\";\n"), 0);
        assert_eq!(found("src/format/frame.rs", "use crate::{vocabulary::{a, b}, disk, store::{c, log}};\n"), 2);
        assert_eq!(found("src/format/frame.rs", "use crate::*;\nuse crate::Options;\n"), 2);
    }

    #[test]
    fn super_counts_its_steps() {
        assert_eq!(found("src/format/mod.rs", "use super::disk::Disk;\n"), 1);
        assert_eq!(found("src/format/frame.rs", "use super::disk::Disk;\n"), 0);
        assert_eq!(found("src/format/frame.rs", "use super::super::disk::Disk;\n"), 1);
        assert_eq!(found("src/format/frame.rs", "mod tests { use super::super::disk::Disk; }\n"), 0);
        assert_eq!(found("src/format/frame.rs", "mod tests { use super::super::super::disk::Disk; }\n"), 1);
    }

    #[test]
    fn testing_is_for_tests_and_knows_no_host() {
        assert_eq!(found("src/hosts/run.rs", "use crate::testing::data;\n"), 1);
        assert_eq!(found("src/hosts/run.rs", "#[cfg(test)]\nmod tests { use crate::testing::data; }\n"), 0);
        assert_eq!(found("src/testing/data.rs", "use crate::{state::A, testing::B};\n"), 0);
        assert_eq!(found("src/testing/data.rs", "use crate::hosts::A;\n"), 1);
        assert_eq!(found("src/lib.rs", "pub use crate::testing::A;\n"), 0);
        assert_eq!(found("src/attic/mod.rs", ""), 1);
    }

    #[test]
    fn an_orphan_is_found_and_files_for_tests_are_known() {
        let mut tree = vec![
            Source::new("src/lib.rs", "mod a;\nmod inline { }\n"),
            Source::new("src/a/mod.rs", "pub mod b;\n#[cfg(test)]\nmod tests;\n"),
            Source::new("src/a/b.rs", "mod c;\n"),
            Source::new("src/a/b/c.rs", ""),
            Source::new("src/a/tests.rs", ""),
        ];
        assert_eq!(orphans(&tree), Vec::<String>::new());
        assert!(reached(&tree)["src/a/tests.rs"] && !reached(&tree)["src/a/b/c.rs"]);
        tree.push(Source::new("src/a/lost.rs", "mod a;"));
        assert_eq!(orphans(&tree).len(), 1);
        tree.push(Source::new("Cargo.toml", "[[bin]]\npath = \"src/a/lost.rs\"\n"));
        assert_eq!(orphans(&tree).len(), 0);
    }
}

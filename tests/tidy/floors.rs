//! The floors of the house: an arrow points only down, and every file is reached.

use crate::source::{Source, first_word, item_end, line_of, test_items, words};
use std::collections::BTreeMap;
use std::ops::Range;

/// The rooms below `src` by floor, lowest first.
const FLOORS: [&str; 11] =
    ["vocabulary", "format", "disk", "segment", "log", "index", "engine", "adapters", "store", "state", "hosts"];

/// The room that stands beside the others: it may use all up to the state, and none but tests may use it.
const TESTING: &str = "testing";

/// Where a file stands among the modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How many modules it is below its crate's root.
    depth: usize,
    /// Whether it is there for tests alone.
    pub for_tests: bool,
    /// Whether it belongs to the library; else to a program, whose `crate` is another one.
    in_library: bool,
}

/// Paths of all files that lead up, into `testing`, past the rooms, or out of a room that has no floor.
pub fn arrows(tree: &[Source]) -> Vec<String> {
    let reached = reached(tree);
    let of = |source: &Source| reached.get(&source.path).map(|&place| upward_paths(source, place)).unwrap_or_default();
    tree.iter().flat_map(of).collect()
}

fn upward_paths(source: &Source, place: Place) -> Vec<String> {
    let room = source.room().unwrap_or_default();
    if place.depth == 0 && place.in_library {
        return Vec::new();
    }
    let own = floor_of(room);
    let is_top = own == floor_of("hosts");
    let Some(own) = own.filter(|_| place.in_library || is_top) else {
        let what = format!("`{room}` is no room of FLOORS in tests/tidy/floors.rs, or none for a program");
        return vec![source.finding(0, what)];
    };
    if !place.in_library {
        return Vec::new();
    }
    let hidden = test_items(&source.code);
    let mut findings = Vec::new();
    for (at, target) in targets(source, place.depth) {
        let in_test = place.for_tests || hidden.iter().any(|item| item.contains(&at));
        let what = match floor_of(&target) {
            _ if target == room => continue,
            _ if target == TESTING && in_test => continue,
            _ if target == TESTING => "only tests may use `testing`: move what is needed to a room".to_owned(),
            Some(floor) if floor <= own => continue,
            Some(_) => format!("`{room}` is below `{target}`: move the shared part down, or the use of it up"),
            // Tests, what helps them, and the top floor may use the library as its users do.
            None if in_test || is_top || room == TESTING => continue,
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
fn targets(source: &Source, depth: usize) -> Vec<(usize, String)> {
    let code = &source.code;
    let modules = modules(source);
    let mut found = Vec::new();
    for at in words(code, "crate::") {
        found.extend(heads(code, at + "crate::".len()));
    }
    for at in words(code, "super::").filter(|&at| !code[..at].ends_with("super::")) {
        let path = &code[at..];
        let inner = path.trim_start_matches("super::");
        let steps = (path.len() - inner.len()) / "super::".len();
        if steps >= depth + modules.iter().filter(|module| module.body.contains(&at)).count() {
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

/// A module that a file declares.
struct Module {
    name: String,
    body: Range<usize>,
    is_inline: bool,
    /// The file that a `#[path]` names.
    file: Option<String>,
}

fn modules(source: &Source) -> Vec<Module> {
    let code = &source.code;
    let lines: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for at in words(code, "mod") {
        let name = first_word(&code[at + 3..]).to_owned();
        let rest = code[at + 3..].trim_start().trim_start_matches(&name).trim_start();
        if !name.is_empty() && rest.starts_with([';', '{']) {
            let above = lines[..line_of(code, at)].iter().rev().take_while(|line| line.trim_start().starts_with("#["));
            let path = above.filter_map(|line| line.trim().strip_prefix("#[path = \"")).next();
            let file = path.and_then(|path| path.strip_suffix("\"]")).map(str::to_owned);
            found.push(Module { name, body: at..item_end(code, at), is_inline: rest.starts_with('{'), file });
        }
    }
    found
}

/// The files of the library and its programs, and where each stands.
pub fn reached(tree: &[Source]) -> BTreeMap<String, Place> {
    let manifest = tree.iter().find(|source| source.path == "Cargo.toml").map_or("", |source| &source.text);
    let mut open = vec!["src/main.rs".to_owned()];
    open.extend(tree.iter().map(|source| source.path.clone()).filter(|path| path.starts_with("src/bin/")));
    open.extend(manifest.split('"').filter(|text| text.starts_with("src/")).map(str::to_owned));
    open.push("src/lib.rs".to_owned());
    let root = |path: String| {
        let in_library = path == "src/lib.rs";
        (path, Place { depth: 0, for_tests: false, in_library })
    };
    let mut open: Vec<(String, Place)> = open.into_iter().map(root).collect();
    let mut reached: BTreeMap<String, Place> = BTreeMap::new();
    // The last one first: all of the library, then the programs.
    while let Some((path, place)) = open.pop() {
        let Some(source) = tree.iter().find(|source| source.path == path) else { continue };
        if reached.get(&path).is_some_and(|known| !known.for_tests || place.for_tests) {
            continue;
        }
        let (beside, stem) = path.trim_end_matches(".rs").rsplit_once('/').unwrap_or(("", &path));
        let inside = if stem == "mod" || place.depth == 0 { beside.to_owned() } else { format!("{beside}/{stem}") };
        let hidden = test_items(&source.code);
        for module in modules(source).into_iter().filter(|module| !module.is_inline) {
            let for_tests = place.for_tests || hidden.iter().any(|item| item.contains(&module.body.start));
            let files = match module.file {
                Some(file) => vec![format!("{beside}/{file}")],
                None => vec![format!("{inside}/{}.rs", module.name), format!("{inside}/{}/mod.rs", module.name)],
            };
            let below = Place { depth: place.depth + 1, for_tests, ..place };
            open.extend(files.into_iter().map(|file| (file, below)));
        }
        reached.insert(path, place);
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
        let depth = path.trim_end_matches("/mod.rs").split('/').count() - 1;
        upward_paths(&Source::new(path, text), Place { depth, for_tests: false, in_library: true }).len()
    }

    #[test]
    fn an_arrow_up_is_found_and_one_down_is_not() {
        assert_eq!(found("src/format/frame.rs", "use crate::vocabulary::event::NewEvent;\nuse super::digest;\n"), 0);
        assert_eq!(found("src/format/frame.rs", "use crate::disk::Disk;\n"), 1);
        assert_eq!(found("src/format/frame.rs", "fn a() { crate::engine::b() }\n"), 1);
        assert_eq!(found("src/format/frame.rs", "//! See crate::engine.\nconst A: &str = \"crate::engine::b\";\n"), 0);
        assert_eq!(found("src/format/frame.rs", "use crate::{vocabulary::{a, b}, disk, store::{c, log}};\n"), 2);
        assert_eq!(found("src/format/frame.rs", "use crate::*;\nuse crate::Options;\n"), 2);
        assert_eq!(found("src/hosts/lines.rs", "use crate::Options;\nuse crate::testing::data;\n"), 1);
        assert_eq!(found("src/format/frame.rs", "#[cfg(test)]\nmod tests { use crate::Options; }\n"), 0);
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
        assert_eq!(found("src/testing/data.rs", "use crate::{state::A, testing::B, NewEvent};\n"), 0);
        assert_eq!(found("src/testing/data.rs", "use crate::hosts::A;\n"), 1);
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
        assert!(reached(&tree)["src/a/tests.rs"].for_tests && !reached(&tree)["src/a/b/c.rs"].for_tests);
        tree.push(Source::new("src/a/lost.rs", "mod a;"));
        assert_eq!(orphans(&tree).len(), 1);
        tree.push(Source::new("Cargo.toml", "[[bin]]\npath = \"src/a/lost.rs\"\n"));
        assert_eq!(orphans(&tree).len(), 0);
    }

    #[test]
    fn a_path_names_a_file_and_programs_stand_on_the_top_floor() {
        let lib = Source::new("src/lib.rs", "pub use crate::testing::A;\nmod disk;\n");
        let disk = Source::new("src/disk/mod.rs", "#[cfg(test)]\n#[path = \"real_tests.rs\"]\nmod tests;\n");
        let tests = Source::new("src/disk/real_tests.rs", "use super::super::disk;\nuse super::super::engine;\n");
        let manifest =
            Source::new("Cargo.toml", "path = \"src/hosts/cli/main.rs\"\npath = \"src/disk/tool/main.rs\"\n");
        let main = Source::new("src/hosts/cli/main.rs", "mod args;\nuse crate::args;\n");
        let args = Source::new("src/hosts/cli/args.rs", "use crate::testing;\n");
        let tool = Source::new("src/disk/tool/main.rs", "fn main() {}\n");
        let tree = [lib, disk, tests, manifest, main, args, tool];
        assert_eq!(orphans(&tree), Vec::<String>::new());
        let found = arrows(&tree);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("src/disk/real_tests.rs:2: ") && found[1].starts_with("src/disk/tool/main.rs:1: ")
        );
    }
}

//! Where in the tree the things are that the coverage table names: items, their members, tests, examples.

use crate::source::{Source, first_word, words};

/// Where the cases of the conformance suite are.
const CONFORMANCE: &str = "src/testing/conformance";

/// The code of the library, file by file.
fn library(tree: &[Source]) -> impl Iterator<Item = &str> {
    tree.iter().filter(|source| source.is_src()).map(|source| source.shipped.as_str())
}

/// What a public name is: `fn`, `struct` and the like, all that it is; `use` when the crate's root lends it from a macro.
pub fn kinds_of<'a>(tree: &'a [Source], name: &str) -> Vec<&'a str> {
    let mut kinds = Vec::new();
    for code in library(tree) {
        for at in words(code, "pub") {
            let mut rest =
                code[at + 3..].split_whitespace().filter(|word| !["const", "async", "unsafe"].contains(word));
            let kind = rest.next().unwrap_or_default();
            let is_kind = ["fn", "struct", "enum", "trait", "type", "mod"].contains(&kind);
            if is_kind && rest.next().is_some_and(|rest| first_word(rest) == name) {
                kinds.push(kind);
            }
        }
    }
    let root = tree.iter().find(|source| source.path == "src/lib.rs").map_or("", |source| &source.code);
    let lent = |statement: &str| statement.contains("pub use ") && words(statement, name).next().is_some();
    if kinds.is_empty() && root.split(';').any(lent) {
        kinds.push("use");
    }
    kinds
}

/// Whether a public type or trait has a member of this name.
pub fn has_member(tree: &[Source], parent: &str, name: &str) -> bool {
    let functions = |code: &str| words(code, "fn").any(|at| first_word(&code[at + 2..]) == name);
    match kinds_of(tree, parent).first().copied() {
        None => false,
        Some("trait") => library(tree).any(|code| words(code, parent).next().is_some() && functions(code)),
        Some("enum") if name.starts_with(char::is_uppercase) => library(tree)
            .any(|code| words(code, parent).next().is_some() && code.lines().any(|line| first_word(line) == name)),
        Some(_) => kinds_of(tree, name).contains(&"fn"),
    }
}

/// Whether there is a test, a conformance case or an example of this name.
pub fn has_test(tree: &[Source], test: &str) -> bool {
    let Some((place, name)) = test.rsplit_once("::") else { return false };
    if place == "doc" || place.starts_with("doc::") {
        return has_example(tree, place.trim_start_matches("doc").trim_start_matches("::"), name);
    }
    (place == "conformance" && tree.iter().any(|source| is_case(source, name))) || test_file(tree, test).is_some()
}

/// The file of a test, and the test's own name.
pub fn test_file<'a, 'b>(tree: &'a [Source], test: &'b str) -> Option<(&'a Source, &'b str)> {
    let (place, name) = test.rsplit_once("::")?;
    let place = place.trim_end_matches("::tests").replace("::", "/");
    let files = [
        format!("tests/{place}.rs"),
        format!("src/{place}.rs"),
        format!("src/{place}/mod.rs"),
        format!("src/{place}/tests.rs"),
    ];
    let main = format!("tests/{place}/main.rs");
    let is_there = |path: &String| files.contains(path) || *path == main;
    let found = tree.iter().find(|source| is_there(&source.path) && test_functions(&source.code).contains(&name));
    found.map(|source| (source, name))
}

/// Whether a file of the conformance suite has a case of this name.
fn is_case(source: &Source, name: &str) -> bool {
    let code = &source.code;
    source.path.starts_with(CONFORMANCE) && words(code, "fn").any(|at| first_word(&code[at + 2..]) == name)
}

/// The functions under `#[test]`.
fn test_functions(code: &str) -> Vec<&str> {
    let is_test = |at: &usize| {
        let before = &code[..*at];
        let attributes = before.rfind(['{', '}', ';']).map_or(before, |end| &before[end..]);
        attributes.contains("#[test]")
    };
    words(code, "fn").filter(is_test).map(|at| first_word(&code[at + 2..])).collect()
}

/// Whether the item has an example in its documentation, in this room; or the file at the top, as `README`.
fn has_example(tree: &[Source], room: &str, name: &str) -> bool {
    if room.is_empty() {
        let path = format!("{name}.md");
        return tree.iter().any(|source| source.path == path && source.text.contains("```rust"));
    }
    let inside = |source: &&Source| source.room() == Some(room.split("::").next().unwrap_or(room));
    tree.iter().filter(inside).any(|source| {
        let lines: Vec<&str> = source.text.lines().collect();
        let declares = |line: &str| {
            ["fn", "struct", "enum", "trait"]
                .iter()
                .any(|kind| words(line, kind).any(|at| first_word(&line[at + kind.len()..]) == name))
        };
        lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with("pub") && declares(line)).any(
            |(at, _)| {
                let above = lines[..at].iter().rev().map(|line| line.trim_start());
                above
                    .take_while(|line| line.starts_with("///") || line.starts_with("#["))
                    .any(|line| line.contains("```"))
            },
        )
    })
}

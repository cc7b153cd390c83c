//! Nothing of logicblocks.event.store is skipped in silence: `coverage.toml` must speak of every row, and say the truth.

#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "tidy/source.rs"]
#[expect(dead_code, reason = "the checks of the house use the rest")]
mod source;

use serde::Deserialize;
use source::{Source, first_word, tree, words};
use std::collections::{BTreeMap, BTreeSet};

const ROWS: &str = include_str!("coverage-rows.txt");
const TABLE: &str = include_str!("coverage.toml");

/// Where the cases of the conformance suite are.
const CONFORMANCE: &str = "src/testing/conformance";

/// The adapters that tests may be said to run on.
const ADAPTERS: [&str; 2] = ["memory", "log"];

/// Stands for a test that is still to be named.
const UNKNOWN: &str = "?";

/// The table, by row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    rows: BTreeMap<String, Entry>,
}

/// What the table says of a row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    item: Option<String>,
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    adapters: Vec<String>,
    #[serde(default)]
    note: String,
    not_ported: Option<String>,
}

fn table(text: &str) -> Result<BTreeMap<String, Entry>, toml::de::Error> {
    toml::from_str::<Table>(text).map(|table| table.rows)
}

#[test]
fn the_table_speaks_of_every_row() {
    none(row_findings(ROWS, &table(TABLE).unwrap()));
}

#[test]
fn every_entry_is_whole() {
    none(each(entry_findings));
}

#[test]
fn every_item_exists() {
    let tree = tree();
    none(each(|entry| missing_item(entry, &tree).into_iter().collect()));
}

#[test]
fn every_test_exists() {
    let tree = tree();
    none(each(|entry| missing_tests(entry, &tree)));
}

#[test]
fn every_adapter_runs_the_suite() {
    none(idle_adapters(&tree()));
}

#[test]
fn every_test_is_named() {
    none(each(|entry| {
        let open = entry.tests.iter().filter(|test| *test == UNKNOWN);
        open.map(|_| "a test is still to be named instead of \"?\"".to_owned()).collect()
    }));
}

/// Runs a check on every entry of the table.
fn each(check: impl Fn(&Entry) -> Vec<String>) -> Vec<String> {
    let of = |(row, entry): (&String, &Entry)| -> Vec<String> {
        check(entry).into_iter().map(|finding| format!("{row}: {finding}")).collect()
    };
    match table(TABLE) {
        Ok(table) => table.iter().flat_map(of).collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// Fails when there are findings, and shows them all.
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} findings in tests/coverage.toml:\n{}", findings.len(), findings.join("\n"));
}

/// Rows without an entry, entries without a row, and rows that come twice or say nothing.
fn row_findings(rows: &str, table: &BTreeMap<String, Entry>) -> Vec<String> {
    let (mut findings, mut known) = (Vec::new(), BTreeSet::new());
    for line in rows.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (id, title) = line.split_once("  ").unwrap_or((line, ""));
        if title.is_empty() {
            findings.push(format!("{id}: the row has no title"));
        }
        if !known.insert(id) {
            findings.push(format!("{id}: the row is there twice"));
        }
        if !table.contains_key(id) {
            findings.push(format!("{id}: the row ({title}) has no entry"));
        }
    }
    let strange = table.keys().filter(|id| !known.contains(id.as_str()));
    findings.extend(strange.map(|id| format!("{id}: the entry has no row in tests/coverage-rows.txt")));
    findings
}

/// What is missing in an entry, or too much.
fn entry_findings(entry: &Entry) -> Vec<String> {
    let mut findings = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            findings.push(what.to_owned());
        }
    };
    if let Some(reason) = &entry.not_ported {
        check(reason.split_whitespace().count() > 1, "`not_ported` wants a reason");
        check(entry.item.is_none() && entry.tests.is_empty(), "what is not ported has neither item nor tests");
        check(entry.adapters.is_empty() && entry.note.is_empty(), "what is not ported has neither adapters nor note");
    } else {
        check(entry.item.is_some(), "name the Rust item, or say why it is `not_ported`");
        check(!entry.tests.is_empty(), "name the tests, or say why it is `not_ported`");
        let mut names: Vec<&String> = entry.tests.iter().chain(&entry.adapters).collect();
        names.sort();
        check(names.windows(2).all(|pair| pair[0] != pair[1]), "a test or an adapter is there twice");
        check(entry.adapters.iter().all(|name| ADAPTERS.contains(&name.as_str())), "an adapter that does not exist");
        let on_a_store = |test: &String| test == UNKNOWN || test.starts_with("conformance::") || is_in_tests(test);
        check(entry.adapters.is_empty() || entry.tests.iter().any(on_a_store), "none of its tests runs on an adapter");
        let is_conformance = entry.tests.iter().any(|test| test.starts_with("conformance::"));
        check(!is_conformance || !entry.adapters.is_empty(), "say which adapters the conformance case runs on");
    }
    findings
}

/// Whether a test's name has the form of one in the folder `tests`.
fn is_in_tests(test: &str) -> bool {
    test.split("::").count() == 2 && !test.starts_with("doc::")
}

/// An item that the library does not have.
fn missing_item(entry: &Entry, tree: &[Source]) -> Option<String> {
    let item = entry.item.as_ref()?;
    let path: Vec<&str> = item.split("::").collect();
    let found = match path[..] {
        ["stratalog", .., parent, name] if parent.starts_with(char::is_uppercase) => has_member(tree, parent, name),
        ["stratalog", .., name] => !kinds_of(tree, name).is_empty(),
        _ => false,
    };
    (!found).then(|| format!("there is no item `{item}`"))
}

/// The code of the library, file by file.
fn library(tree: &[Source]) -> impl Iterator<Item = &str> {
    tree.iter().filter(|source| source.is_src()).map(|source| source.shipped.as_str())
}

/// What a public name is: `fn`, `struct` and the like, all that it is; `use` when the crate's root lends it from a macro.
fn kinds_of<'a>(tree: &'a [Source], name: &str) -> Vec<&'a str> {
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
fn has_member(tree: &[Source], parent: &str, name: &str) -> bool {
    let functions = |code: &str| words(code, "fn").any(|at| first_word(&code[at + 2..]) == name);
    match kinds_of(tree, parent).first().copied() {
        None => false,
        Some("trait") => library(tree).any(|code| words(code, parent).next().is_some() && functions(code)),
        Some("enum") if name.starts_with(char::is_uppercase) => library(tree)
            .any(|code| words(code, parent).next().is_some() && code.lines().any(|line| first_word(line) == name)),
        Some(_) => kinds_of(tree, name).contains(&"fn"),
    }
}

/// Tests that are named and are not there.
fn missing_tests(entry: &Entry, tree: &[Source]) -> Vec<String> {
    let missing = |test: &&String| *test != UNKNOWN && !has_test(tree, test);
    entry.tests.iter().filter(missing).map(|test| format!("there is no test `{test}`")).collect()
}

fn has_test(tree: &[Source], test: &str) -> bool {
    let Some((place, name)) = test.rsplit_once("::") else { return false };
    if place == "doc" || place.starts_with("doc::") {
        return has_example(tree, place.trim_start_matches("doc").trim_start_matches("::"), name);
    }
    if place == "conformance" && tree.iter().any(|source| is_case(source, name)) {
        return true;
    }
    let place = place.trim_end_matches("::tests").replace("::", "/");
    let files = [
        format!("tests/{place}.rs"),
        format!("src/{place}.rs"),
        format!("src/{place}/mod.rs"),
        format!("src/{place}/tests.rs"),
    ];
    let is_there = |path: &String| files.contains(path) || path.starts_with(&format!("tests/{place}/"));
    tree.iter().any(|source| is_there(&source.path) && test_functions(&source.code).contains(&name))
}

/// Whether a file of the conformance suite has a case of this name.
fn is_case(source: &Source, name: &str) -> bool {
    let code = &source.code;
    source.path.starts_with(CONFORMANCE) && words(code, "fn").any(|at| first_word(&code[at + 2..]) == name)
}

/// Adapters that the table speaks of and that have no line `NAME lacks …` in the test that runs the suite.
fn idle_adapters(tree: &[Source]) -> Vec<String> {
    let suite = tree.iter().find(|source| source.path == "tests/conformance.rs").map_or("", |source| &source.code);
    let runs = |adapter: &&str| suite.lines().any(|line| line.trim_start().starts_with(&format!("{adapter} lacks ")));
    let idle = ADAPTERS.iter().filter(|adapter| !runs(adapter));
    idle.map(|adapter| format!("the adapter `{adapter}` does not run the suite in tests/conformance.rs")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        toml::from_str(text).unwrap()
    }

    fn house() -> Vec<Source> {
        vec![
            Source::new("src/lib.rs", "pub use room::{Counter, Store};\npub mod testing;\n// pub struct Ghost;\n"),
            Source::new(
                "src/room/mod.rs",
                "/// ```\n/// a();\n/// ```\n#[must_use]\npub struct Store;\npub mod log;\npub trait Door {\n fn knock(&self);\n}\n\
                 impl Store {\n pub const fn open() {}\n pub fn log() {}\n fn hidden() {}\n}\npub enum Fault {\n Unmet(u8),\n}\n\
                 #[cfg(test)]\nmod tests {\n #[test]\n fn inside() {}\n fn helper() {}\n}\n",
            ),
            Source::new("src/testing/conformance/save.rs", "pub fn stores_one() {}\n"),
            Source::new("tests/store.rs", "#[test]\n#[ignore = \"a;b\"]\nfn outside() {}\nfn other() {}\n"),
            Source::new("tests/deep/main.rs", "#[test]\nfn below() {}\n"),
            Source::new("README.md", "```rust\nmain();\n```\n"),
        ]
    }

    #[test]
    fn rows_and_entries_must_agree() {
        let table = table("[rows]\n\"1/a\" = { not_ported = \"no use here\" }\n\"1/b\" = { tests = [] }\n").unwrap();
        assert_eq!(row_findings("# A comment.\n\n1/a  one\n1/b  two\n", &table), Vec::<String>::new());
        for rows in
            ["1/a  one\n", "1/a  one\n1/b  two\n1/c  three\n", "1/a  one\n1/b  two\n1/b  two\n", "1/a  one\n1/b\n"]
        {
            assert_eq!(row_findings(rows, &table).len(), 1, "{rows}");
        }
        assert!(super::table("[rows]\n\"1/a\" = {}\n\"1/a\" = {}\n").is_err());
        assert!(super::table("[rows]\n\"1/a\" = { test = [] }\n").is_err());
    }

    #[test]
    fn an_entry_must_be_whole() {
        let found = |text: &str| entry_findings(&entry(text)).len();
        assert_eq!(found("not_ported = \"no use here\""), 0);
        assert_eq!(found("item = \"stratalog::A\"\ntests = [\"conformance::a\"]\nadapters = [\"memory\", \"log\"]"), 0);
        assert_eq!(found("item = \"stratalog::A\"\ntests = [\"room::file::a\"]"), 0);
        for text in [
            "item = \"stratalog::A\"",
            "tests = [\"store::a\"]",
            "not_ported = \"\"",
            "not_ported = \"no use here\"\ntests = [\"store::a\"]",
            "item = \"stratalog::A\"\ntests = [\"store::a\", \"store::a\"]",
            "item = \"stratalog::A\"\ntests = [\"store::a\"]\nadapters = [\"tape\"]",
            "item = \"stratalog::A\"\ntests = [\"conformance::a\"]",
            "item = \"stratalog::A\"\ntests = [\"room::file::a\"]\nadapters = [\"log\"]",
        ] {
            assert_eq!(found(text), 1, "{text}");
        }
    }

    #[test]
    fn items_must_exist() {
        let is_missing = |item: &str| missing_item(&entry(&format!("item = \"{item}\"")), &house()).is_some();
        for item in ["Store", "Counter", "testing", "Store::open", "Store::log", "room::Door::knock", "Fault::Unmet"] {
            assert!(!is_missing(&format!("stratalog::{item}")), "{item}");
        }
        for item in ["Ghost", "Store::hidden", "Store::close", "Ghost::open", "Door::ring", "Fault::Met", "inside"] {
            assert!(is_missing(&format!("stratalog::{item}")), "{item}");
        }
        assert!(is_missing("other::Store"));
    }

    #[test]
    fn named_tests_must_exist() {
        let house = house();
        for test in [
            "store::outside",
            "deep::below",
            "room::inside",
            "room::tests::inside",
            "conformance::stores_one",
            "doc::room::Store",
            "doc::README",
        ] {
            assert!(has_test(&house, test), "{test}");
        }
        for test in [
            "store::other",
            "store::inside",
            "room::helper",
            "conformance::stores_two",
            "doc::room::Fault",
            "doc::CHANGELOG",
            "outside",
        ] {
            assert!(!has_test(&house, test), "{test}");
        }
        let findings = missing_tests(&entry("tests = [\"?\", \"store::other\"]"), &house);
        assert_eq!(findings, ["there is no test `store::other`"]);
    }

    #[test]
    fn adapters_must_run_the_suite() {
        let suite = |text| [Source::new("tests/conformance.rs", text)];
        assert_eq!(idle_adapters(&suite("suites! {\n memory lacks [];\n log lacks [];\n}\n")).len(), 0);
        assert_eq!(idle_adapters(&suite("suites! {\n memory lacks [];\n // log lacks [];\n}\n")).len(), 1);
        assert_eq!(idle_adapters(&[]).len(), 2);
    }
}

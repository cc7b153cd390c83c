//! Nothing of logicblocks.event.store is skipped in silence: `coverage.toml` must speak of every row, and say the truth.
//! So must it of those rows of EvidentSource's model that are here so far.

#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "coverage/lookup.rs"]
mod lookup;
#[path = "tidy/source.rs"]
#[expect(dead_code, reason = "the checks of the house use the rest")]
mod source;

use lookup::{has_member, has_test, kinds_of, test_file};
use serde::Deserialize;
use source::{Source, first_word, tree, words};
use std::collections::{BTreeMap, BTreeSet};

const ROWS: &str = include_str!("coverage-rows.txt");
const TABLE: &str = include_str!("coverage.toml");

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
fn every_test_runs_on_its_adapters() {
    let tree = tree();
    none(each(|entry| idle_claims(entry, &tree)));
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
        let is_conformance = entry.tests.iter().any(|test| test.starts_with("conformance::"));
        check(!is_conformance || !entry.adapters.is_empty(), "say which adapters the conformance case runs on");
    }
    findings
}

/// Adapters that an entry speaks of and none of its tests runs on, and those that one runs on and it does not speak of.
fn idle_claims(entry: &Entry, tree: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for adapter in ADAPTERS {
        let claims = entry.adapters.iter().any(|name| name == adapter);
        let runs = entry.tests.iter().any(|test| runs_on(tree, test, adapter));
        if claims && !runs {
            findings.push(format!("none of its tests runs on the adapter `{adapter}`"));
        }
        if runs && !claims && !entry.tests.iter().any(|test| test.starts_with("conformance::")) {
            findings.push(format!("its tests run on the adapter `{adapter}` too: say so"));
        }
    }
    findings
}

/// Whether a test makes a store of this adapter. Those of the conformance suite do, unless the entry says less.
fn runs_on(tree: &[Source], test: &str, adapter: &str) -> bool {
    if test.starts_with("conformance::") {
        return true;
    }
    let Some((file, name)) = test_file(tree, test) else { return false };
    let code = &file.code;
    let Some(at) = words(code, "fn").find(|at| first_word(&code[at + 2..]) == name) else { return false };
    let makes = if adapter == "memory" { "EventStore::in_memory(" } else { "EventStore::open" };
    file.path.starts_with("tests/")
        && (code[at..source::item_end(code, at)].contains("on_both(") || code.contains(makes))
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

/// Tests that are named and are not there.
fn missing_tests(entry: &Entry, tree: &[Source]) -> Vec<String> {
    let missing = |test: &&String| *test != UNKNOWN && !has_test(tree, test);
    entry.tests.iter().filter(missing).map(|test| format!("there is no test `{test}`")).collect()
}

/// Adapters that the table speaks of and that have no line `NAME lacks …` in the test that runs the suite.
fn idle_adapters(tree: &[Source]) -> Vec<String> {
    let suite = tree.iter().find(|source| source.path == "tests/conformance.rs").map_or("", |source| &source.code);
    let runs = |adapter: &&str| suite.lines().any(|line| line.trim_start().starts_with(&format!("{adapter} lacks ")));
    let idle = ADAPTERS.iter().filter(|adapter| !runs(adapter));
    idle.map(|adapter| format!("the adapter `{adapter}` does not run the suite in tests/conformance.rs")).collect()
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
                "/// ```\n/// a();\n/// ```\n#[must_use]\npub struct Store;\npub mod log;\n\
                 pub trait Door {\n fn knock(&self);\n}\n\
                 impl Store {\n pub const fn open() {}\n pub fn log() {}\n fn hidden() {}\n}\npub enum Fault {\n Unmet(u8),\n}\n\
                 #[cfg(test)]\nmod tests {\n #[test]\n fn inside() {}\n fn helper() {}\n}\n",
            ),
            Source::new("src/testing/conformance/save.rs", "pub fn stores_one() {}\n"),
            Source::new("tests/store.rs", "#[test]\n#[ignore = \"a;b\"]\nfn outside() {}\nfn other() {}\n"),
            Source::new("tests/deep/main.rs", "#[test]\nfn below() { on_both(|_| ()); }\n#[test]\nfn alone() {}\n"),
            Source::new("tests/deep/part.rs", "fn new() { EventStore::open(); }\n#[test]\nfn part() { new(); }\n"),
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
            "deep::part::part",
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
            "deep::part",
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
    fn tests_must_run_on_the_adapters_that_are_claimed() {
        let found = |tests: &str, adapters: &str| {
            idle_claims(&entry(&format!("tests = [{tests}]\nadapters = [{adapters}]")), &house()).len()
        };
        for (tests, adapters) in [
            ("\"deep::below\"", "\"memory\", \"log\""),
            ("\"deep::alone\"", ""),
            ("\"deep::part::part\"", "\"log\""),
            ("\"conformance::stores_one\"", "\"memory\""),
            ("\"room::inside\"", ""),
        ] {
            assert_eq!(found(tests, adapters), 0, "{tests}");
        }
        assert_eq!(found("\"deep::below\"", "\"memory\""), 1);
        assert_eq!(found("\"deep::alone\"", "\"memory\", \"log\""), 2);
        assert_eq!(found("\"deep::part::part\"", "\"memory\""), 2);
        assert_eq!(found("\"room::inside\"", "\"memory\""), 1);
    }

    #[test]
    fn adapters_must_run_the_suite() {
        let suite = |text| [Source::new("tests/conformance.rs", text)];
        assert_eq!(idle_adapters(&suite("suites! {\n memory lacks [];\n log lacks [];\n}\n")).len(), 0);
        assert_eq!(idle_adapters(&suite("suites! {\n memory lacks [];\n // log lacks [];\n}\n")).len(), 1);
        assert_eq!(idle_adapters(&[]).len(), 2);
    }
}

//! `query` and `log`: what they show is what the lines of `read` and `export` say, picked by hand.

use super::*;
use std::collections::BTreeMap;
use stratalog::Timestamp;

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

fn time(row: &Value, field: &str) -> Timestamp {
    text(row, field).parse().unwrap()
}

fn query(store: &str, rest: &[&str]) -> Vec<Value> {
    run(&[&["query", store, "--json"], rest].concat()).rows()
}

/// The rows of which this holds.
fn picked(rows: &[Value], holds: impl Fn(&Value) -> bool) -> Vec<Value> {
    rows.iter().filter(|row| holds(row)).cloned().collect()
}

/// Whether an event is what is asked for.
type Holds<'a> = &'a dyn Fn(&Value) -> bool;

#[test]
fn everything_given_must_hold() {
    let (_dir, store) = sample_store();
    let rows = run(&["read", &store, "--json"]).rows();
    let is = |row: &Value, field: &str, wanted: &str| text(row, field) == wanted;
    let begins = |row: &Value, field: &str, prefix: &str| text(row, field).starts_with(prefix);
    let cases: [(&[&str], Holds<'_>); 9] = [
        (&[], &|_| true),
        (&["--category", "root"], &|row| is(row, "category", "root")),
        (&["-c", "t", "--name", "file-added"], &|row| is(row, "category", "t") && is(row, "name", "file-added")),
        (&["--category-prefix", "t"], &|row| begins(row, "category", "t")),
        (&["--stream", "Makefile"], &|row| is(row, "stream", "Makefile")),
        (&["--stream-prefix", "git-"], &|row| begins(row, "stream", "git-")),
        (&["--no-stream"], &|row| is(row, "stream", "")),
        (&["--name-prefix", "file-d"], &|row| begins(row, "name", "file-d")),
        (&["--category-prefix", "r", "--stream-prefix", "g", "--name", "file-added"], &|row| {
            begins(row, "category", "r") && begins(row, "stream", "g") && is(row, "name", "file-added")
        }),
    ];
    for (arguments, holds) in cases {
        let expected = picked(&rows, holds);
        assert_eq!(query(&store, arguments), expected, "{arguments:?}");
        assert!(!expected.is_empty() || arguments == ["--no-stream"], "{arguments:?}");
        let newest: Vec<Value> = expected.into_iter().rev().take(3).collect();
        assert_eq!(query(&store, &[arguments, &["--reverse", "--limit", "3"]].concat()), newest, "{arguments:?}");
    }
    assert!(query(&store, &["--category", "no such"]).is_empty());
    assert!(query(&store, &["-n", "0"]).is_empty());
    let table = run(&["query", &store, "--stream", "Makefile", "-n", "1"]).ok();
    assert!(table.starts_with("SEQUENCE  OCCURRED AT") && table.contains("root / Makefile"), "{table}");
    assert_eq!(run(&["query", &store, "--category", "no such"]).ok(), "");
    let shown = run(&["query", &store, "--name", "file-added"]).ok();
    let added = picked(&rows, |row| is(row, "name", "file-added")).len();
    assert_eq!(shown.lines().count(), added + 1, "a row an event, and the head");
}

#[test]
fn events_without_a_stream_are_meant_by_that_alone() {
    let (_dir, store) = place();
    for stream in ["", "s"] {
        run(&["append", &store, "c", stream, "n"]).ok();
    }
    let numbers = |rest: &[&str]| -> Vec<Value> {
        query(&store, rest).iter().map(|row| row["sequence_number"].clone()).collect()
    };
    assert_eq!(numbers(&["--no-stream"]), [0]);
    assert_eq!(numbers(&["--stream", ""]), [0]);
    assert_eq!(numbers(&["--stream-prefix", ""]), [1]);
    assert_eq!(numbers(&["--category", "c"]), [0, 1]);
}

#[test]
fn the_log_is_shown_as_it_was() {
    let (_dir, store) = sample_store();
    let rows = run(&["read", &store, "--json"]).rows();
    let first = picked(&rows, |row| row["transaction"] == FIRST_TRANSACTION);
    assert!(first.len() > 2);
    let end = first.len().to_string();
    // A revision inside a transaction is that of all of it.
    for revision in ["1", "2", &end] {
        assert_eq!(query(&store, &["--at-revision", revision]), first, "revision {revision}");
    }
    assert!(query(&store, &["--at-revision", "0"]).is_empty());
    assert_eq!(query(&store, &["--at-revision", "3604"]), rows);
    let beyond = run(&["query", &store, "--at-revision", "3605"]).failed(1);
    assert!(beyond.contains("3604") && beyond.contains("3605"), "{beyond}");

    let middle = &rows[1_800];
    let recorded = picked(&rows, |row| time(row, "recorded_at") <= time(middle, "recorded_at"));
    assert!(recorded.len() > 1_800 && recorded.len() < rows.len());
    assert_eq!(query(&store, &["--at", text(middle, "recorded_at")]), recorded);
    assert_eq!(query(&store, &["--at", text(middle, "recorded_at"), "--at-revision", "1"]), first, "the older");
    assert_eq!(query(&store, &["--at", text(middle, "recorded_at"), "--at-revision", "3604"]), recorded, "the older");
    assert!(query(&store, &["--at", "2001-01-01T00:00:00Z"]).is_empty());

    let effective =
        picked(&rows, |row| time(row, "occurred_at") <= time(middle, "occurred_at") && text(row, "category") == "root");
    assert!(!effective.is_empty());
    assert_eq!(query(&store, &["--effective", text(middle, "occurred_at"), "-c", "root"]), effective);
    let both = picked(&recorded, |row| time(row, "occurred_at") <= time(middle, "occurred_at"));
    let arguments = ["--effective", text(middle, "occurred_at"), "--at", text(middle, "recorded_at")];
    assert_eq!(query(&store, &arguments), both);
}

#[test]
fn how_events_were_found_stands_behind_them() {
    let (_dir, store) = sample_store();
    let arguments = ["query", &store, "--stream", "Makefile", "--limit", "2"];
    let (plain, explained) = (run(&arguments).ok(), run(&[&arguments[..], &["--explain"]].concat()).ok());
    let explanation = explained.strip_prefix(&plain).unwrap();
    assert!(explanation.contains("looked at, 2 found") && explanation.lines().count() > 2, "{explanation}");
    let found = run(&[&arguments[..], &["--explain", "--json"]].concat());
    assert_eq!((found.code, values(&found.stdout)), (0, query(&store, &arguments[2..])));
    let explanation: Value = serde_json::from_str(&found.stderr).unwrap();
    assert_eq!(explanation["found"], 2, "{explanation}");
    assert!(explanation["plan"][0].is_string() && explanation["frames"].as_u64().unwrap() >= 2, "{explanation}");
    assert!(explanation["entries"].is_u64() && explanation["names"].is_u64() && explanation["parts"].is_u64());
}

#[test]
fn what_excludes_each_other_is_wrong_usage() {
    for arguments in [
        &["--category", "a", "--category-prefix", "a"][..],
        &["--stream", "a", "--stream-prefix", "a"],
        &["--stream", "a", "--no-stream"],
        &["--stream-prefix", "a", "--no-stream"],
        &["--name", "a", "--name-prefix", "a"],
        &["--at", "yesterday"],
        &["--effective", "2024-01-01"],
        &["--at-revision", "-1"],
    ] {
        assert_eq!(run(&[&["query", "s"], arguments].concat()).code, 2, "{arguments:?}");
    }
    assert_eq!(run(&["log", "s", "--from", "x"]).code, 2);
    assert!(run(&["query", "--help"]).ok().contains("byte by byte"));
}

#[test]
fn the_log_lists_transactions() {
    let (_dir, store) = sample_store();
    let rows = run(&["read", &store, "--json"]).rows();
    let log = |rest: &[&str]| run(&[&["log", &store, "--json"], rest].concat()).rows();
    let all = log(&[]);
    assert_eq!(all.len(), 1_622);
    let mut events: BTreeMap<&str, u64> = BTreeMap::new();
    rows.iter().for_each(|row| *events.entry(text(row, "transaction")).or_default() += 1);
    let mut revision = 0;
    for transaction in &all {
        assert_eq!(transaction["basis"], revision);
        assert_eq!(transaction["events"], events[text(transaction, "transaction")]);
        let first = &rows[usize::try_from(revision).unwrap()];
        assert_eq!(transaction["recorded_at"], first["recorded_at"]);
        revision += transaction["events"].as_u64().unwrap();
        assert_eq!(transaction["revision"], revision);
    }
    assert_eq!(revision, 3_604);
    // From the transaction in which a revision stands.
    let third = all[2]["revision"].as_u64().unwrap();
    assert_eq!(log(&["--from", &third.to_string()]), all[2..]);
    assert_eq!(log(&["--from", &(third + 1).to_string()]), all[3..]);
    assert_eq!(log(&["--from", "1", "--limit", "2"]), all[..2]);
    assert_eq!(log(&["--from", "0"]), all);
    assert!(log(&["--from", "3605"]).is_empty() && log(&["-n", "0"]).is_empty());
    let table = run(&["log", &store, "-n", "2"]).ok();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[0].starts_with("REVISION  BASIS  EVENTS  RECORDED AT") && lines[1].contains(FIRST_TRANSACTION),
        "{table}"
    );
}

#[test]
fn transactions_show_their_attributes() {
    let (_dir, store) = place();
    let c = r#""category":"c","stream":"s","name":"n""#;
    let attributes = r#"[{"name":"by","value":"Ada"},{"name":"at","type":"time","value":"2024-01-01T00:00:00Z"}]"#;
    let input = format!(
        "{{\"group\":1,{c},\"transaction_attributes\":{attributes}}}\n{{\"group\":1,{c}}}\n{{\"transaction\":\"a\\tb\",{c}}}\n"
    );
    run_with_input(&["import", &store, "-"], input.as_bytes()).ok();
    let rows = run(&["log", &store, "--json"]).rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["attributes"], serde_json::from_str::<Value>(attributes).unwrap());
    assert_eq!((&rows[0]["events"], &rows[0]["transaction"]), (&2.into(), &Value::Null));
    assert_eq!((&rows[1]["transaction"], &rows[1]["attributes"]), (&"a\tb".into(), &Value::Null));
    let table = run(&["log", &store]).ok();
    assert!(table.contains("by=Ada at=2024-01-01T00:00:00Z") && table.contains(r"a\tb"), "{table}");
}

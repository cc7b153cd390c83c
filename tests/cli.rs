//! The program `stratalog` as its users meet it: the real binary, run on real events.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[path = "cli/query.rs"]
mod query;

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample.jsonl.gz");
const FIRST_TRANSACTION: &str = "e83c5163316f89bfbde7d9ab23ca2e25604af290";

/// How a run ended.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    /// Stdout of a run that must have gone well, silently.
    fn ok(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self.stdout
    }

    /// Stderr of a run that must have ended with this code and said one line.
    fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    fn rows(self) -> Vec<Value> {
        self.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stratalog"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> Run {
    run_with_input(arguments, b"")
}

fn run_with_input(arguments: &[&str], input: &[u8]) -> Run {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may end before it has read everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A place for a store, and its path as text.
fn place() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store").to_str().unwrap().to_owned();
    (dir, path)
}

/// A store that holds the sample.
fn sample_store() -> (TempDir, String) {
    let (dir, store) = place();
    run(&["import", &store, SAMPLE]).ok();
    (dir, store)
}

fn sample_text() -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(SAMPLE).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn figures(store: &str) -> [u64; 4] {
    let info = run(&["info", store, "--json"]).json();
    ["events", "transactions", "streams", "categories"].map(|name| info[name].as_u64().unwrap())
}

const SAMPLE_FIGURES: [u64; 4] = [3_604, 1_622, 517, 8];

fn values(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn line(transaction: &str, stream: &str) -> String {
    format!("{{\"transaction\":\"{transaction}\",\"category\":\"c\",\"stream\":\"{stream}\",\"name\":\"n\"}}\n")
}

#[test]
fn the_sample_goes_in_and_comes_out_equal() {
    let (_dir, store) = place();
    let said = run(&["import", &store, SAMPLE]).ok();
    assert!(said.starts_with("imported 3,604 events in 1,622 transactions in "), "{said}");
    assert_eq!(figures(&store), SAMPLE_FIGURES);
    assert_eq!(values(&run(&["export", &store]).ok()), values(&sample_text()));
    let verified = run(&["verify", &store, "--json"]).json();
    assert_eq!((&verified["verdict"], &verified["events"]), (&"clean".into(), &3_604.into()));
    assert!(run(&["verify", &store]).ok().starts_with("clean: 3,604 events, 1,622 transactions, "));
}

#[test]
fn plain_gzip_and_stdin_are_the_same() {
    let expected = values(&sample_text());
    let gzip = fs::read(SAMPLE).unwrap();
    for input in [gzip, sample_text().into_bytes()] {
        let (_dir, store) = place();
        run_with_input(&["import", &store, "-"], &input).ok();
        assert_eq!(values(&run(&["export", &store]).ok()), expected);
    }
}

#[test]
fn a_repeat_adds_nothing() {
    let (_dir, store) = sample_store();
    let done = run(&["import", &store, SAMPLE, "--json"]).json();
    assert_eq!([&done["events"], &done["transactions"], &done["repeated_transactions"]], [0, 0, 1_622]);
    assert_eq!(figures(&store), SAMPLE_FIGURES);
}

#[test]
fn an_import_resumes_after_the_last_transaction() {
    let (dir, store) = place();
    let text = sample_text();
    let lines: Vec<&str> = text.lines().collect();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["transaction"].clone();
    let cut = (1_000..).find(|&at| id(lines[at - 1]) != id(lines[at])).unwrap();
    let part = dir.path().join("part.jsonl");
    fs::write(&part, lines[..cut].join("\n")).unwrap();
    run(&["import", &store, part.to_str().unwrap(), "--resume"]).ok();
    let done = run(&["import", &store, SAMPLE, "--resume", "--json"]).json();
    assert_eq!(done["events"], 3_604 - cut);
    assert_eq!(done["repeated_transactions"], 0);
    assert_eq!(figures(&store), SAMPLE_FIGURES);
    assert_eq!(values(&run(&["export", &store]).ok()), values(&text));
    let other = run_with_input(&["import", &store, "-", "--resume"], line("x", "s").as_bytes()).failed(8);
    assert!(other.contains("is not in stdin"), "{other}");
}

#[test]
fn a_killed_import_resumes_to_the_same_store() {
    let text = sample_text();
    for share in [10, 3, 2] {
        let (_dir, store) = place();
        let mut child = command(&["import", &store, "-"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&text.as_bytes()[..text.len() / share]).unwrap();
        // Its input stays open, so it waits for more when it has read this much.
        std::thread::sleep(std::time::Duration::from_millis(300));
        child.kill().unwrap();
        child.wait().unwrap();
        drop(stdin);
        let verified = run(&["verify", &store]);
        assert!([0, 7].contains(&verified.code), "{verified:?}");
        run(&["import", &store, SAMPLE, "--resume"]).ok();
        assert_eq!(figures(&store), SAMPLE_FIGURES);
        assert_eq!(values(&run(&["export", &store]).ok()), values(&text));
        run(&["verify", &store]).ok();
    }
}

#[test]
fn bad_lines_are_named_and_leave_nothing_of_their_transaction() {
    let good = line("t1", "a");
    let cases = [
        (r#"{"transaction":"t2","category":"c","stream":"s"}"#, "line 3: the field \"name\" is missing"),
        (r#"{"category":"c","stream":"s","name":7}"#, "line 3: field \"name\" with value 7"),
        (
            r#"{"category":"c","stream":"s","name":"n","occurred_at":"then"}"#,
            "field \"occurred_at\" with value \"then\"",
        ),
        (r#"{"category":"c","stream":"s","name":"n","nmae":"n"}"#, "unknown field \"nmae\""),
        ("not json", "line 3: not a JSON object"),
    ];
    for (bad, expected) in cases {
        let (_dir, store) = place();
        let input = format!("{good}{}{bad}\n", line("t2", "b"));
        let error = run_with_input(&["import", &store, "-"], input.as_bytes()).failed(8);
        assert!(error.starts_with("stratalog: stdin, ") && error.contains(expected), "{error}");
        let [events, transactions, ..] = figures(&store);
        // t2 is whole where the bad line is none of its own.
        assert!(events == transactions && events <= 2, "{bad}: {events} events");
        assert!(!bad.contains("t2") || events == 1, "{bad}: {events} events");
    }
}

#[test]
fn a_transaction_id_that_comes_again_with_other_events_is_a_conflict() {
    let (_dir, store) = place();
    let input = line("t1", "a") + &line("t2", "a") + &line("t1", "b");
    let error = run_with_input(&["import", &store, "-"], input.as_bytes()).failed(3);
    assert!(error.contains("lines 3 to 3") && error.contains("t1"), "{error}");
    assert_eq!(figures(&store)[0], 2);
}

#[test]
fn a_limit_is_named_with_its_lines() {
    let (_dir, store) = place();
    let error = run_with_input(&["import", &store, "-"], line(&"t".repeat(256), "a").as_bytes()).failed(8);
    assert!(error.contains("256") && error.contains("255") && error.contains("lines 1 to 1"), "{error}");
}

#[test]
fn everything_an_event_has_comes_back() {
    let c = r#""category":"c","stream":"s","name""#;
    let attributes = [
        r#"{"name":"z","value":true},{"name":"n","value":-5},{"name":"t","type":"time","value":"0001-01-01T00:00:00Z"}"#,
        r#"{"name":"u","type":"uri","value":"https://x.example"},{"name":"r","type":"uri_reference","value":"../y"}"#,
        r#"{"name":"b","type":"bytes","value":"AA=="}"#,
    ]
    .join(",");
    let by = r#""transaction_attributes":[{"name":"by","value":"Ada"}]"#;
    let input = [
        format!(r#"{{{c}:"single"}}"#),
        format!(r#"{{{c}:"single","payload":null}}"#),
        format!(r#"{{"group":2,{by},{c}:"a","payload":{{"b": 1.0,"a":2}}}}"#),
        r#"{"group":2,"category":"d","stream":"","name":"b","payload_text":"\n","content_type":"text/plain"}"#
            .to_owned(),
        format!(r#"{{"group":4,{c}:"c","payload_base64":"/wA=","schema":"https://x.example/s","schema_version":3}}"#),
        format!(r#"{{"group":4,{c}:"d","payload_json":"[\n1]"}}"#),
        format!(r#"{{"transaction":"t",{c}:"e","id":"mine","payload":{{"a":1}},"payload_messagepack":"gaFhAQ=="}}"#),
        format!(r#"{{"transaction":"t",{c}:"f","occurred_at":"2024-01-01T00:00:00.000000001Z"}}"#),
        format!(r#"{{{c}:"g","attributes":[{attributes}],"metadata":""}}"#),
    ]
    .join("\n");
    let ((_one, store), (_two, copy)) = (place(), place());
    run_with_input(&["import", &store, "-"], input.as_bytes()).ok();
    assert_eq!(figures(&store), [9, 6, 2, 2]);
    let exported = run(&["export", &store]).ok();
    assert_eq!(values(&exported), values(&input));
    run_with_input(&["import", &copy, "-"], exported.as_bytes()).ok();
    assert_eq!(run(&["export", &copy]).ok(), exported);
    assert_eq!(figures(&copy), figures(&store));
}

#[test]
fn an_export_to_a_file_is_an_import() {
    let (dir, store) = sample_store();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (plain, gzip) = (path("out.jsonl"), path("out.jsonl.gz"));
    run(&["export", &store, "--output", &plain]).ok();
    let said = run(&["export", &store, "-o", &gzip, "--json"]).json();
    assert_eq!(said["events"], 3_604);
    assert!(fs::metadata(&gzip).unwrap().len() * 5 < fs::metadata(&plain).unwrap().len());
    for file in [plain, gzip] {
        let done = run(&["import", &store, &file, "--json"]).json();
        assert_eq!([&done["events"], &done["repeated_transactions"]], [0, 1_622]);
    }
}

#[test]
fn an_append_prints_its_receipt_and_keeps_its_condition() {
    let (_dir, store) = place();
    let append = |rest: &[&str]| run(&[&["append", &store, "accounts", "acc-42"], rest].concat());
    let first = append(&["opened", r#"{"owner": "Ada"}"#, "--expect-empty", "--json"]).json();
    assert_eq!([&first["sequence_number"], &first["position"], &first["revision"]], [0, 0, 1]);
    assert_eq!((&first["durability"], &first["repeat"]), (&"sync".into(), &false.into()));
    let error = append(&["opened", "--expect-empty"]).failed(3);
    assert!(error.contains("unmet condition") && error.contains("acc-42"), "{error}");
    append(&["credited", "--expect-position", "1"]).failed(3);
    append(&["credited", "--expect-position", "0", "--transaction-id", "t"]).ok();
    let repeat = append(&["credited", "--expect-position", "0", "--transaction-id", "t", "--json"]).json();
    assert_eq!((&repeat["repeat"], &repeat["position"]), (&true.into(), &1.into()));
    append(&["debited", "--transaction-id", "t"]).failed(3);
    run(&["append", &store, "accounts", "nobody", "credited", "--expect-exists"]).failed(3);
    let said = append(&["noted", "it's text", "--as", "text", "--expect-exists", "--attribute", "by=Ada"]).ok();
    assert!(said.starts_with("appended: noted in accounts/acc-42\nsequence number  2\n"), "{said}");
    append(&["noted", "not json"]).failed(8);
    run_with_input(&["append", &store, "accounts", "acc-42", "noted", "-", "--as", "binary"], b"\xff\n").ok();
    let rows = run(&["read", &store, "--json"]).rows();
    assert_eq!(rows[0]["payload"], serde_json::json!({"owner": "Ada"}));
    assert_eq!((&rows[2]["payload_text"], &rows[2]["attributes"][0]["value"]), (&"it's text".into(), &"Ada".into()));
    assert_eq!((rows.len(), &rows[3]["payload_base64"]), (4, &"/wo=".into()));
    let conflict = append(&["x", "--expect-empty", "--json"]).failed(3);
    let conflict: Value = serde_json::from_str(&conflict).unwrap();
    assert_eq!((&conflict["error"], &conflict["retry"]), (&"conflict".into(), &"after-reading".into()));
}

#[test]
fn reads_take_their_bounds() {
    let (_dir, store) = sample_store();
    let read = |rest: &[&str]| run(&[&["read", &store, "--json"], rest].concat()).rows();
    let numbers =
        |rest: &[&str]| -> Vec<u64> { read(rest).iter().map(|row| row["sequence_number"].as_u64().unwrap()).collect() };
    assert_eq!(read(&[]).len(), 3_604);
    assert_eq!(numbers(&["--after", "3600"]), [3_601, 3_602, 3_603]);
    assert_eq!(numbers(&["--after", "8", "--until", "10"]), [9, 10]);
    assert_eq!(numbers(&["--reverse", "--limit", "2"]), [3_603, 3_602]);
    assert_eq!(numbers(&["--limit", "0"]), [] as [u64; 0]);
    let stream = read(&["--category", "root", "--stream", "apply.c"]);
    assert_eq!(stream.len(), 48);
    for (position, row) in stream.iter().enumerate() {
        assert_eq!((&row["position"], &row["stream"]), (&position.into(), &"apply.c".into()));
    }
    assert_eq!(read(&["--category", "t", "-n", "3"]).iter().filter(|row| row["category"] == "t").count(), 3);
    assert!(read(&["--category", "no such"]).is_empty());
    let table = run(&["read", &store, "-n", "2"]).ok();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("SEQUENCE  OCCURRED AT") && lines[1].contains("root / Makefile"), "{table}");
    assert_eq!(lines[0].find("NAME"), lines[1].find("file-added"), "{table}");
}

#[test]
fn lists_and_figures_have_two_forms() {
    let (_dir, store) = sample_store();
    let categories = run(&["categories", &store, "--json"]).rows();
    assert_eq!(categories.len(), 8);
    assert_eq!(categories[0], serde_json::json!({"category": "Documentation", "streams": 171}));
    let streams = run(&["streams", &store, "--json"]).rows();
    assert_eq!(streams.len(), 517);
    assert_eq!(streams.iter().map(|row| row["events"].as_u64().unwrap()).sum::<u64>(), 3_604);
    assert_eq!(run(&["streams", &store, "-c", "tools", "--json"]).rows().len(), 8);
    assert_eq!(run(&["streams", &store, "-c", "tools"]).ok().lines().count(), 9);
    assert_eq!(run(&["categories", &store]).ok().lines().count(), 9);
    assert!(run(&["info", &store]).ok().contains("events          3,604\n"));
    let info = run(&["info", &store, "--json"]).json();
    for field in ["segments", "bytes", "file_bytes"] {
        assert!(info[field].as_u64().unwrap() > 0, "{field}: {info}");
    }
    assert!(info["first_recorded_at"].as_str().unwrap() <= info["last_recorded_at"].as_str().unwrap());
}

#[test]
fn reading_never_makes_a_store() {
    let (dir, store) = place();
    for command in ["export", "read", "query", "log", "streams", "categories", "info", "verify"] {
        let error = run(&[command, &store]).failed(4);
        assert!(error.starts_with("stratalog: no store at "), "{error}");
        let error: Value = serde_json::from_str(&run(&[command, &store, "--json"]).failed(4)).unwrap();
        assert_eq!((&error["error"], &error["exit_code"]), (&"not-found".into(), &4.into()));
    }
    run(&["import", &store, "/no/such/file"]).failed(8);
    run(&["append", &store, "c", "s", "n", "not json"]).failed(8);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    assert_eq!(run(&["frobnicate"]).code, 2);
    assert_eq!(run(&[]).code, 2);
    assert_eq!(run(&["read", "s", "--stream", "without category"]).code, 2);
    assert_eq!(run(&["append", "s", "c", "s", "n", "--expect-empty", "--expect-exists"]).code, 2);
    let error: Value = serde_json::from_str(&run(&["frobnicate", "--json"]).failed(2)).unwrap();
    assert_eq!(error["error"], "usage");
    assert!(run(&["--help"]).ok().contains("Exit codes:\n  0  done"));
    assert!(run(&["import", "--help"]).ok().contains("power cut"));
    assert!(run(&["--version"]).ok().starts_with("stratalog "));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let (_dir, store) = sample_store();
    for arguments in [
        &["export", &store][..],
        &["read", &store],
        &["read", &store, "--json"],
        &["query", &store, "--name-prefix", "file-"],
        &["query", &store, "--json"],
        &["log", &store],
        &["log", &store, "--json"],
    ] {
        let mut child = command(arguments).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_second_process_hears_that_the_store_is_open() {
    let (_dir, store) = place();
    let mut first = command(&["import", &store, "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = first.stdin.take().unwrap();
    stdin.write_all((line("t1", "a") + &line("t2", "a")).as_bytes()).unwrap();
    let opened = Path::new(&store);
    for _ in 0..500 {
        if opened.exists() && fs::read_dir(opened).unwrap().count() > 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    let error = run(&["import", &store, SAMPLE]).failed(5);
    assert!(error.contains("is already open"), "{error}");
    drop(stdin);
    assert!(first.wait().unwrap().success());
    assert_eq!(figures(&store)[0], 2);
}

/// The file of the store in which a text stands, and where.
fn find(store: &str, text: &str) -> (PathBuf, usize) {
    for entry in fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text.as_bytes()) {
            return (path, at);
        }
    }
    panic!("{text} is in no file of {store}");
}

#[test]
fn a_flipped_byte_is_found_and_named() {
    let (_dir, store) = sample_store();
    let (path, at) = find(&store, FIRST_TRANSACTION);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let human = run(&["verify", &store]).failed(6);
    assert!(human.contains("corrupt") && human.contains("segment") && human.contains("offset"), "{human}");
    let found = run(&["verify", &store, "--json"]);
    assert_eq!(found.code, 6);
    let verdict: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(verdict["verdict"], "corrupt");
    let offset = usize::try_from(verdict["offset"].as_u64().unwrap()).unwrap();
    assert!(verdict["segment"].is_u64() && offset <= at && at - offset < 64 << 10, "{verdict}, byte {at}");
    assert_eq!(run(&["export", &store]).code, 6);
}

#[test]
fn a_salvage_copies_what_is_whole_and_lists_what_is_not() {
    let (dir, store) = sample_store();
    let new = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let whole = new("whole");
    let said = run(&["salvage", &store, &whole]).ok();
    assert!(said.starts_with("everything: 3,604 events, 1,622 transactions copied\n"), "{said}");
    assert_eq!(run(&["export", &whole]).ok(), run(&["export", &store]).ok());

    let (path, at) = find(&store, "file-deleted");
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    run(&["read", &store]).failed(6);
    let part = new("part");
    let ended = run(&["salvage", &store, &part, "--json"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let error: Value = serde_json::from_str(&ended.failed(9)).unwrap();
    assert_eq!((&error["error"], &error["exit_code"]), (&"dropped".into(), &9.into()));
    let missing = &report["missing"][0];
    let number = |value: &Value| value.as_u64().unwrap();
    let first = number(&missing["first_sequence_number"]);
    let lost = number(&missing["last_sequence_number"]) - first + 1;
    assert_eq!((&report["complete"], number(&report["events"])), (&false.into(), 3_604 - lost));
    let dropped = &report["dropped"][0];
    assert!(number(&dropped["from"]) <= at as u64 && (at as u64) < number(&dropped["to"]), "{report}");
    assert_eq!(figures(&part)[..2], [3_604 - lost, 1_621]);
    run(&["verify", &part]).ok();
    let mut left = values(&run(&["export", &whole]).ok());
    left.drain(usize::try_from(first).unwrap()..usize::try_from(first + lost).unwrap());
    assert_eq!(values(&run(&["export", &part]).ok()), left);

    let prefix = run(&["salvage", &store, &new("prefix"), "--prefix"]);
    assert!(prefix.stdout.starts_with(&format!("not everything: {first} events, ")), "{prefix:?}");
    prefix.failed(9);
    let taken = run(&["salvage", &store, &part]).failed(1);
    assert!(taken.contains("it exists already"), "{taken}");
    run(&["salvage", &new("none"), &new("other")]).failed(4);
}

#[test]
fn the_demo_shows_it_all() {
    let (_dir, store) = place();
    let shown = run(&["demo", &store]).ok();
    for part in ["3,604 events", "1,622 transactions known by their ids", "unmet condition", "2005-04", "clean: 3,606"]
    {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "styles are for terminals");
    assert_eq!(figures(&store)[0], 3_606);
    let error = run(&["demo", &store]).failed(1);
    assert!(error.contains("exists already"), "{error}");
}

//! The README's tables of errors name every error that there is.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

const README: &str = include_str!("../README.md");
const ERRORS: &str = include_str!("../src/vocabulary/error.rs");

/// The names of an enum's variants, read from its source.
fn variants(name: &str) -> Vec<&'static str> {
    let (_, body) = ERRORS.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let variant = |line: &'static str| {
        let line =
            line.strip_prefix("    ").filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))?;
        line.split(|character: char| !character.is_ascii_alphanumeric()).next()
    };
    body.lines().filter_map(variant).collect()
}

#[test]
fn the_tables_of_errors_are_complete() {
    let sections = [
        ("Retry", "| `Retry` | Meaning |"),
        ("AppendError", "Appending (`AppendError`):"),
        ("ReadError", "Reading (`ReadError`;"),
        ("OpenError", "Opening (`OpenError`):"),
    ];
    for (name, heading) in sections {
        let (_, table) = README.split_once(heading).unwrap();
        let table = table.trim_start_matches(|character| character != '|').split("\n\n").next().unwrap();
        let variants = variants(name);
        assert!(variants.len() > 4, "{name}: {variants:?}");
        for variant in variants {
            assert!(table.contains(&format!("`{variant}`")), "{name}::{variant}");
        }
    }
}

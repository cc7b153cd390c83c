//! Words: those that must be there, and those that must not.

use crate::lexer::is_word;
use crate::source::{Source, first_word, item_end, line_of, words};

/// What may panic or stops short, with what to write instead.
const PANICS: [(&str, &str); 5] = [
    (".unwrap()", "return the error, or make the case impossible"),
    (".expect(", "return the error, or make the case impossible"),
    ("panic!(", "return an error"),
    ("todo!(", "write it"),
    ("unimplemented!(", "write it"),
];

/// What prints, with what to write instead.
const PRINTS: [(&str, &str); 5] = [
    ("println!", "a library does not print: return it"),
    ("eprintln!", "a library does not print: return it"),
    ("print!", "a library does not print: return it"),
    ("eprint!", "a library does not print: return it"),
    ("dbg!(", "remove it"),
];

/// Words for work that was put off. In pieces, so that this file does not find itself.
const PUT_OFF: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Beginnings of paths that exist on one machine only. In pieces, so that this file does not find itself.
const MACHINE: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// The folder that alone may hold `unsafe` code of the library.
const DOOR: &str = "src/disk/";

/// The one file outside that may, for reading a counter of the processor.
const COUNTER: &str = "src/vocabulary/time/ticks.rs";

/// How many lines may lie between an argument for `unsafe` and its place.
const SAFETY_REACH: usize = 5;

/// How many words such an argument has at least.
const SAFETY_WORDS: usize = 8;

/// A file without a first line that says in a sentence what it is.
pub fn first_line(source: &Source) -> Vec<String> {
    let line = source.text.lines().next().unwrap_or_default();
    let is_sentence =
        line.starts_with("//! ") && line.split_whitespace().count() > 2 && line.ends_with(['.', '!', '?']);
    let what = "the first line must be a `//!` sentence with a full stop that says what the file is for";
    if source.is_rust() && !is_sentence { vec![source.finding(0, what)] } else { Vec::new() }
}

/// `unsafe` outside the door, or without an argument.
pub fn unsafe_code(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut findings = Vec::new();
    for at in words(&source.code, "unsafe") {
        let line = line_of(&source.code, at);
        let is_behind_it = source.path.starts_with(DOOR) || source.path == COUNTER;
        if (source.is_src() || source.path.starts_with("examples/")) && !is_behind_it {
            findings
                .push(source.finding(line, format!("`unsafe` lives in {DOOR} alone: ask a duty of the disk for it")));
        }
        let rest = source.code[at + "unsafe".len()..].trim_start();
        let wants_argument = rest.starts_with('{') || first_word(rest) == "impl";
        if wants_argument && argument_words(&lines[..line]) < SAFETY_WORDS {
            let what = format!("say in a `SAFETY:` comment of {SAFETY_WORDS} words or more why this is sound");
            findings.push(source.finding(line, what));
        }
    }
    findings
}

/// How many words the nearest `SAFETY:` comment has, which must end in the last few of these lines.
fn argument_words(lines: &[&str]) -> usize {
    let comment =
        |line: &str| line.trim_start().strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).to_owned());
    let near = lines.iter().rev().take(SAFETY_REACH).position(|line| comment(line).is_some());
    let Some(near) = near else { return 0 };
    let mut block: Vec<String> = lines.iter().rev().skip(near).map_while(|line| comment(line)).collect();
    block.reverse();
    let block = block.join("\n");
    block.rfind("SAFETY:").map_or(0, |at| block[at + "SAFETY:".len()..].split_whitespace().count())
}

/// Calls that panic or print, in code that ships. `for_tests` says that the file is declared under `#[cfg(test)]`.
pub fn banned_calls(source: &Source, for_tests: bool) -> Vec<String> {
    let room = source.room().unwrap_or_default();
    if !source.is_src() || for_tests || room == "testing" {
        return Vec::new();
    }
    let may_print = matches!(room, "hosts" | "main" | "bin");
    let banned = PANICS.iter().chain(PRINTS.iter().filter(|_| !may_print));
    let mut findings = Vec::new();
    for (call, remedy) in banned {
        for at in words(&source.shipped, call) {
            findings
                .push(source.finding(line_of(&source.shipped, at), format!("`{call}` in code that ships: {remedy}")));
        }
    }
    findings
}

/// Words for work that was put off.
pub fn put_off(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for word in PUT_OFF {
        for at in words(&source.text, word) {
            findings.push(source.finding(line_of(&source.text, at), format!("`{word}`: do it now, or file it")));
        }
    }
    findings
}

/// Tests that are ignored and that no script runs; `scripts` is all their text.
pub fn ignored_tests(source: &Source, scripts: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, _) in source.code.match_indices("#[ignore") {
        let name =
            words(&source.code[at..], "fn").next().map_or("", |offset| first_word(&source.code[at + offset + 2..]));
        if name.is_empty() || words(scripts, name).next().is_none() {
            let what = format!("`{name}` is ignored and no script runs it: name it in one of scripts/, or let it run");
            findings.push(source.finding(line_of(&source.code, at), what));
        }
    }
    findings
}

/// Lints that are allowed instead of expected.
pub fn allowed_lints(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, _) in source.code.match_indices("#[").chain(source.code.match_indices("#![")) {
        let attribute = &source.code[at..item_end(&source.code, at)];
        let attribute = &attribute[..attribute.find(']').unwrap_or(attribute.len())];
        if words(attribute, "allow(").next().is_some() {
            let what = "write `#[expect(…, reason = …)]` instead of `allow`: it goes away when it is not needed";
            findings.push(source.finding(line_of(&source.code, at), what));
        }
    }
    findings
}

/// Paths of one machine, tabs and blanks at the end of a line.
pub fn stray_text(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in source.text.split('\n').enumerate() {
        if line.contains('\t') {
            findings.push(source.finding(number, "a tab: write blanks"));
        }
        if line.ends_with(char::is_whitespace) {
            findings.push(source.finding(number, "blanks at the end of the line: remove them"));
        }
        let is_absolute = |path: &str| {
            let before = |at: usize| line[..at].chars().next_back();
            line.match_indices(path).any(|(at, _)| !before(at).is_some_and(|c| is_word(c) || ".-/}".contains(c)))
        };
        for path in MACHINE.iter().filter(|path| is_absolute(path)) {
            findings
                .push(source.finding(number, format!("`{path}` exists on one machine only: write a relative path")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn src(text: &str) -> Source {
        Source::new("src/a/b.rs", text)
    }

    #[test]
    fn a_first_line_is_a_sentence() {
        let found = |text| first_line(&src(text)).len();
        assert_eq!(found("//! What this is.\n"), 0);
        for text in ["", "//! What this is\n", "// What this is.\n", "//! Frames.\n", "use a;\n//! What this is.\n"] {
            assert_eq!(found(text), 1, "{text}");
        }
        assert_eq!(first_line(&Source::new("README.md", "# A\n")).len(), 0);
    }

    #[test]
    fn unsafe_wants_the_door_and_an_argument() {
        let argued = "// SAFETY: the pointer comes from the map,\n// which lives as long as self.\nunsafe { a() }\n";
        let found = |path, text: &str| unsafe_code(&Source::new(path, text)).len();
        assert_eq!(found("src/disk/real.rs", argued), 0);
        assert_eq!(found("tests/allocator.rs", argued), 0);
        assert_eq!((found("src/log/mod.rs", argued), found("src/vocabulary/time.rs", argued)), (1, 1));
        assert_eq!((found(COUNTER, argued), found(COUNTER, "unsafe { a() }\n")), (0, 1));
        assert_eq!(found("src/log/mod.rs", "// unsafe\n#![deny(unsafe_op_in_unsafe_fn)]\n\"unsafe\"\n"), 0);
        for text in [
            "unsafe { a() }\n".to_owned(),
            "// SAFETY: it is fine.\nunsafe impl A for B {}\n".to_owned(),
            argued.replace("unsafe", &format!("{}unsafe", "b();\n".repeat(5))),
        ] {
            assert_eq!(found("src/disk/real.rs", &text), 1, "{text}");
        }
        assert_eq!(found("src/disk/real.rs", &argued.replace("unsafe", "let a =\n    unsafe")), 0);
        assert_eq!(found("src/disk/real.rs", "/// # Safety\n/// None.\npub unsafe fn a() {}\n"), 0);
    }

    #[test]
    fn panics_and_prints_do_not_ship() {
        let text = "fn a() { b.unwrap(); c().expect(\"d\"); panic!(); println!(); eprintln!(); dbg!(e); }\n";
        let found = |path, text: &str, for_tests| banned_calls(&Source::new(path, text), for_tests).len();
        assert_eq!(found("src/a/b.rs", text, false), 6);
        assert_eq!(found("src/hosts/b.rs", text, false), 3);
        assert_eq!(found("src/testing/b.rs", text, false), 0);
        assert_eq!(found("src/a/tests.rs", text, true), 0);
        assert_eq!(found("tests/a.rs", text, false), 0);
        assert_eq!(found("src/a/b.rs", &format!("#[cfg(test)]\nmod tests {{ {text} }}"), false), 0);
        assert_eq!(found("src/a/b.rs", "/// a.unwrap()\nfn a() { b.unwrap_or(1); c.expect_err(); }", false), 0);
    }

    #[test]
    fn put_off_work_is_found() {
        for word in PUT_OFF {
            assert_eq!(
                put_off(&Source::new("README.md", &format!("a\n{word}: b\n"))),
                [format!("README.md:2: `{word}`: do it now, or file it")]
            );
            assert_eq!(put_off(&src(&format!("{word}S A{word} {}", word.to_lowercase()))).len(), 0);
        }
    }

    #[test]
    fn an_ignored_test_wants_a_script_and_a_lint_wants_expect() {
        let text = "#[test]\n#[ignore = \"long\"]\nfn months() {}\n";
        assert_eq!(ignored_tests(&src(text), "cargo test -- --ignored weeks").len(), 1);
        assert_eq!(ignored_tests(&src(text), "cargo test -- --ignored months").len(), 0);
        for text in ["#[allow(dead_code)]", "#![allow(dead_code)]", "#[cfg_attr(test, allow(dead_code))]"] {
            assert_eq!(allowed_lints(&src(text)).len(), 1, "{text}");
        }
        assert_eq!(allowed_lints(&src("#[expect(dead_code, reason = \"a\")]\nfn a() { allow(); }")).len(), 0);
    }

    #[test]
    fn stray_text_is_found() {
        let found = |text: &str| stray_text(&Source::new("a.md", text)).len();
        for path in MACHINE {
            assert_eq!(found(&format!("see `{path}a`")), 1, "{path}");
            assert_eq!(found(&format!("see https://example.com{path} and ..{path}")), 0, "{path}");
        }
        assert_eq!((found("a\tb"), found("a \nb"), found("a\r\nb"), found("a\n\n  b\n")), (1, 1, 1, 0));
    }
}

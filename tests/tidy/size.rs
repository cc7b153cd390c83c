//! Files, functions and lines that a reader can hold in mind.

use crate::source::{Source, first_word, item_end, line_of, words};

/// What a file in `src` should have at most.
pub const FILE_AIM: usize = 400;

/// What a file in `src` may have at most, tests at its end not counted.
const FILE_LIMIT: usize = 500;

/// What a function may have at most, from `fn` to its last brace.
const FUNCTION_LIMIT: usize = 70;

/// What a line of Rust may have at most.
const COLUMNS: usize = 130;

/// Something that may be longer than the limit, up to a limit of its own.
pub struct Exemption {
    /// The path of a file, or path and function as `src/a.rs::name`.
    pub what: &'static str,
    /// How many lines it may have.
    pub most: usize,
    /// Why it is better so.
    pub reason: &'static str,
}

/// How many lines a file has, without the tests at its end.
pub fn length(source: &Source) -> usize {
    let tests = source
        .code
        .rfind("#[cfg(test)]\nmod tests {")
        .filter(|&at| source.code[item_end(&source.code, at)..].trim().is_empty());
    source.text[..tests.map_or(source.text.len(), |at| byte_of_line(&source.text, line_of(&source.code, at)))]
        .lines()
        .count()
}

fn byte_of_line(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line).map(str::len).sum()
}

/// Every file in `src` with its length.
pub fn file_lengths(tree: &[Source]) -> Vec<(String, usize)> {
    tree.iter().filter(|source| source.is_src()).map(|source| (source.path.clone(), length(source))).collect()
}

/// Every function with its length, as `path::name`.
pub fn function_lengths(tree: &[Source]) -> Vec<(String, usize)> {
    tree.iter().flat_map(functions).collect()
}

fn functions(source: &Source) -> Vec<(String, usize)> {
    let code = &source.code;
    let named =
        words(code, "fn").filter(|at| code[at + 2..].starts_with(' ') && !first_word(&code[at + 2..]).is_empty());
    named
        .map(|at| {
            let lines = line_of(code, item_end(code, at)) - line_of(code, at) + 1;
            (format!("{}::{}", source.path, first_word(&code[at + 2..])), lines)
        })
        .collect()
}

pub fn long_files(lengths: &[(String, usize)], exemptions: &[Exemption]) -> Vec<String> {
    too_long(lengths, FILE_LIMIT, exemptions)
}

pub fn long_functions(lengths: &[(String, usize)], exemptions: &[Exemption]) -> Vec<String> {
    too_long(lengths, FUNCTION_LIMIT, exemptions)
}

fn too_long(lengths: &[(String, usize)], limit: usize, exemptions: &[Exemption]) -> Vec<String> {
    let mut findings = Vec::new();
    for (what, lines) in lengths {
        let most = exemptions.iter().find(|exempt| exempt.what == what).map_or(limit, |exempt| exempt.most);
        if *lines > most {
            findings.push(format!("{what}: {lines} lines, at most {most} are allowed: split it where a seam shows"));
        }
    }
    for Exemption { what, most, reason } in exemptions {
        if !lengths.iter().any(|(name, lines)| name == what && *lines > limit) {
            findings.push(format!("{what}: the exemption to {most} lines is not needed any more: remove it"));
        }
        if reason.split_whitespace().count() < 4 {
            findings.push(format!("{what}: the exemption wants a reason"));
        }
    }
    findings
}

/// Lines of Rust that are too wide.
pub fn wide_lines(source: &Source) -> Vec<String> {
    let wide = source.text.lines().enumerate().filter(|(_, line)| source.is_rust() && line.chars().count() > COLUMNS);
    wide.map(|(line, _)| source.finding(line, format!("more than {COLUMNS} columns: break the line"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_at_the_end_do_not_count() {
        let body = "//! A file.\nfn a() {}\n";
        let tests = "#[cfg(test)]\nmod tests {\n    const A: &str = \"é\";\n}\n";
        assert_eq!(length(&Source::new("src/a.rs", &format!("{body}{tests}"))), 2);
        assert_eq!(length(&Source::new("src/a.rs", &format!("{body}{tests}fn b() {{}}\n"))), 7);
    }

    #[test]
    fn a_long_function_is_found_by_its_name() {
        let long = format!("fn a(\n) -> [u8; 2] {{\n{}}}\nfn b() {{}}\ntype C = fn(u8);\n", "    x; // }\n".repeat(70));
        let lengths = functions(&Source::new("src/a.rs", &long));
        assert_eq!(lengths, [("src/a.rs::a".to_owned(), 73), ("src/a.rs::b".to_owned(), 1)]);
        assert_eq!(long_functions(&lengths, &[]).len(), 1);
    }

    #[test]
    fn an_exemption_has_its_own_limit_and_goes_stale() {
        let lengths = |lines| [("src/a.rs".to_owned(), lines)];
        let exempt = |reason| [Exemption { what: "src/a.rs", most: 600, reason }];
        assert_eq!(long_files(&lengths(501), &[]).len(), 1);
        assert_eq!(long_files(&lengths(500), &[]).len(), 0);
        assert_eq!(long_files(&lengths(600), &exempt("one table, read in one piece")).len(), 0);
        assert_eq!(long_files(&lengths(601), &exempt("one table, read in one piece")).len(), 1);
        assert_eq!(long_files(&lengths(500), &exempt("one table, read in one piece")).len(), 1);
        assert_eq!(long_files(&lengths(600), &exempt("it is")).len(), 1);
    }

    #[test]
    fn a_wide_line_is_found() {
        let wide = |columns| wide_lines(&Source::new("src/a.rs", &format!("a\n{}\n", "é".repeat(columns))));
        assert_eq!((wide(131).len(), wide(130).len()), (1, 0));
        assert!(wide(131)[0].starts_with("src/a.rs:2: "));
    }
}

//! A small lexer for Rust: blanks out comments and text, so that a search finds code alone.

/// The source with every comment, string and character literal turned into blanks. Lines and columns stay as they are.
pub fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|&c| if c == '\n' { c } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Whether a character can be part of a name.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn skipped(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    let inside_a_name = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == '/' => chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |end| at + end),
        '/' if next(1) == '*' => block_comment(chars, at),
        '"' => quoted(chars, at + 1, '"'),
        'r' if !inside_a_name => raw(chars, at, 1),
        'b' | 'c' if !inside_a_name && next(1) == '"' => quoted(chars, at + 2, '"'),
        'b' | 'c' if !inside_a_name && next(1) == 'r' => raw(chars, at, 2),
        'b' if !inside_a_name && next(1) == '\'' => quoted(chars, at + 2, '\''),
        // A lifetime is a quote and a name; a character has a closing quote right after one character or an escape.
        '\'' if next(1) == '\\' || next(2) == '\'' => quoted(chars, at + 1, '\''),
        _ => at,
    }
}

/// The end of text whose first character is at `at`, after the closing quote.
fn quoted(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of a raw string whose prefix has `prefix` letters; `at` when it is none (a raw name, or a plain letter).
fn raw(chars: &[char], at: usize, prefix: usize) -> usize {
    let hashes = chars[at + prefix..].iter().take_while(|&&c| c == '#').count();
    let open = at + prefix + hashes;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes = |end: usize| chars[end] == '"' && chars[end + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
    (open + 1..chars.len()).find(|&end| closes(end)).map_or(chars.len(), |end| end + 1 + hashes)
}

/// The end of a block comment, which may hold others.
fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

#[test]
fn comments_and_texts_are_blanked_and_code_stays() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x\"y", z)"#, "f(      , z)"),
        ("r#\"a\"b\"# c", "         c"),
        ("br\"\\\" c", "      c"),
        ("r#type for r", "r#type for r"),
        ("'x' '\\'' b'\"' &'a str", "              &'a str"),
        ("\"two\nlines\" end", "    \n       end"),
        ("\"open", "     "),
    ] {
        assert_eq!(blank(text), code, "{text}");
    }
}

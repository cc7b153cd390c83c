//! EvidentSource's rules for names: what a store with strict names and the database API take on their way in.

use super::attributes::Attributes;
use super::error::AppendError;
use super::event::EventId;
use super::identifier::Stream;

/// A name outside EvidentSource's rules.
#[doc(alias = "IdentifierError")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the {what} {name:?} is outside the rules of strict names: {rule}")]
#[non_exhaustive]
pub struct InvalidName {
    /// What it names: category, stream, event, event id, attribute or database.
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl From<InvalidName> for AppendError {
    fn from(InvalidName { what, name, rule }: InvalidName) -> Self {
        Self::InvalidName { what, name, rule }
    }
}

const IDENTIFIER_RULE: &str = "a letter, then 1 to 127 of a-z A-Z 0-9 - _ .";
const TEXT_RULE: &str = "not blank, under 256 bytes, without U+001F";
const ATTRIBUTE_RULE: &str = "1 to 64 of a-z 0-9";
const PREFIX_RULE: &str = "not empty";

/// Checks the names of a stream.
///
/// # Errors
/// The category's, or else the stream's.
pub(crate) fn stream(stream: &Stream) -> Result<(), InvalidName> {
    identifier("category", stream.category())?;
    // The stream named "" is "no subject", which the rules allow.
    if stream.stream().is_empty() { Ok(()) } else { text("stream", stream.stream()) }
}

/// Checks an event's names.
///
/// # Errors
/// The first name outside the rules: the event's, its id's, an attribute's.
pub(crate) fn event(name: &str, id: Option<&EventId>, attributes: &Attributes) -> Result<(), InvalidName> {
    text("event", name)?;
    if let Some(id) = id {
        text("event id", &id.to_string())?;
    }
    attributes.iter().try_for_each(|(name, _)| attribute(name))
}

/// Checks a category, or another thing that is named by an identifier.
///
/// # Errors
/// When the name is not a letter, followed by 1 to 127 letters, digits, `-`, `_` or `.`, all of ASCII.
pub(crate) fn identifier(what: &'static str, name: &str) -> Result<(), InvalidName> {
    let letter_first = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    refuse_unless(
        letter_first && (2..=128).contains(&name.len()) && name.bytes().all(allowed),
        what,
        name,
        IDENTIFIER_RULE,
    )
}

/// Checks the name of a stream or an event, or an event's id.
///
/// # Errors
/// When it is blank, has 256 bytes or more, or holds the separator U+001F.
pub(crate) fn text(what: &'static str, name: &str) -> Result<(), InvalidName> {
    refuse_unless(!name.trim().is_empty() && name.len() < 256 && !name.contains('\u{1f}'), what, name, TEXT_RULE)
}

/// Checks the name of an attribute.
///
/// # Errors
/// When it is not 1 to 64 lower-case letters or digits of ASCII.
pub(crate) fn attribute(name: &str) -> Result<(), InvalidName> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    refuse_unless((1..=64).contains(&name.len()) && name.bytes().all(allowed), "attribute", name, ATTRIBUTE_RULE)
}

/// Checks what names must begin with: any text but the empty one.
///
/// # Errors
/// When it is empty.
pub(crate) fn prefix(what: &'static str, prefix: &str) -> Result<(), InvalidName> {
    refuse_unless(!prefix.is_empty(), what, prefix, PREFIX_RULE)
}

fn refuse_unless(holds: bool, what: &'static str, name: &str, rule: &'static str) -> Result<(), InvalidName> {
    if holds { Ok(()) } else { Err(InvalidName { what, name: name.to_owned(), rule }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_two_to_128_of_ascii_a_letter_first() {
        let is_good = |name: &str| identifier("category", name).is_ok();
        for good in ["ab", "A1", "z-_.9", "accounts", &"c".repeat(128)] {
            assert!(is_good(good), "{good}");
        }
        let long = "c".repeat(129);
        for bad in ["", "a", "1a", ".github", "-ab", "a b", "a/b", "orders/2024-03-15", "aé", "a\u{1f}", &long] {
            let refused = identifier("category", bad).unwrap_err();
            assert_eq!((refused.what, &*refused.name, refused.rule), ("category", bad, IDENTIFIER_RULE));
        }
    }

    #[test]
    fn texts_are_not_blank_and_under_256_bytes_without_the_separator() {
        let is_good = |name: &str| text("stream", name).is_ok();
        for good in ["a", " a ", "é", "a/b", "\u{1e}", &"s".repeat(255)] {
            assert!(is_good(good), "{good:?}");
        }
        for bad in ["", " ", "\t\n", "\u{3000}", "a\u{1f}b", &"s".repeat(256), &"é".repeat(128)] {
            assert!(!is_good(bad), "{bad:?}");
        }
    }

    #[test]
    fn attributes_are_named_by_1_to_64_lower_case_letters_and_digits() {
        for good in ["a", "0", "traceparent", &"a".repeat(64)] {
            assert!(attribute(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "trace_parent", "a-b", "é", " a", &"a".repeat(65)] {
            assert!(attribute(bad).is_err(), "{bad:?}");
        }
    }
}

//! Where a stored event comes from, as CloudEvents has it: a URI of base, database and category.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::sync::Arc;

/// What is written as it is: the characters that RFC 3986 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What stands before the database's name.
const DATABASES: &str = "/db/";

/// What stands between the database's name and the category's.
const CATEGORIES: &str = "/streams/";

/// A database as a source of events: `{base_uri}/db/{database}`. Cloning is cheap.
///
/// The source of an event is `{base_uri}/db/{database}/streams/{category}`, with the category percent-encoded but for letters and
/// digits of ASCII, `-`, `.`, `_` and `~`. So it is the last segment, and also all that comes after the first `/streams/`.
///
/// ```
/// use stratalog::DatabaseSource;
///
/// # fn main() -> Result<(), stratalog::InvalidSource> {
/// let bank = DatabaseSource::new("https://events.example", "bank")?;
/// let source = bank.of("open accounts");
/// assert_eq!(source, "https://events.example/db/bank/streams/open%20accounts");
/// assert_eq!(DatabaseSource::parse(&source)?, (bank, "open accounts".to_owned()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DatabaseSource {
    base_uri: Arc<str>,
    database: Arc<str>,
}

/// A text that is no source of events, or cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{given:?} is no source of events: {rule}")]
#[non_exhaustive]
pub struct InvalidSource {
    /// What was given.
    pub given: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl InvalidSource {
    fn new(given: impl Into<String>, rule: &'static str) -> Self {
        Self { given: given.into(), rule }
    }
}

impl DatabaseSource {
    /// The database of this name at this base URI. A slash at the URI's end does not count.
    ///
    /// # Errors
    /// [`InvalidSource`] when the base is no absolute URI, has a query or a fragment, when the database's name is not a letter
    /// followed by 1 to 127 of a-z A-Z 0-9 - _ ., or when `/streams/` would stand in the source before its place.
    pub fn new(base_uri: &str, database: &str) -> Result<Self, InvalidSource> {
        let base_uri = base_uri.trim_end_matches('/');
        let scheme = base_uri.split_once(':').map_or("", |(scheme, _)| scheme);
        let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !(scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(in_scheme)) {
            return Err(InvalidSource::new(base_uri, "the base begins with a scheme, such as https:"));
        }
        if !base_uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte)) {
            return Err(InvalidSource::new(base_uri, "the base is a URI without query and fragment"));
        }
        if let Err(name) = super::super::strict::identifier("database", database) {
            return Err(InvalidSource::new(database, name.rule));
        }
        // Who takes what comes after the first `/streams/` for the category must be right.
        let before = format!("{base_uri}{DATABASES}{database}{CATEGORIES}");
        if before.find(CATEGORIES) != Some(before.len() - CATEGORIES.len()) {
            return Err(InvalidSource::new(before, "/streams/ stands before the category alone"));
        }
        Ok(Self { base_uri: base_uri.into(), database: database.into() })
    }

    /// The base URI, without a slash at its end.
    #[must_use]
    pub fn base_uri(&self) -> &str {
        &self.base_uri
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The source of the events of a category. Any name has one.
    #[must_use]
    pub fn of(&self, category: &str) -> String {
        format!("{self}{CATEGORIES}{}", utf8_percent_encode(category, ENCODED))
    }

    /// The database and the category that a source names.
    ///
    /// # Errors
    /// [`InvalidSource`] when it is not built as [`DatabaseSource::of`] does, or its category is not UTF-8, percent-encoded.
    pub fn parse(source: &str) -> Result<(Self, String), InvalidSource> {
        let refused = |rule| InvalidSource::new(source, rule);
        let shape = "it is BASE/db/DATABASE/streams/CATEGORY";
        let (before, category) = source.rsplit_once('/').ok_or_else(|| refused(shape))?;
        let before = before.strip_suffix(CATEGORIES.trim_end_matches('/')).ok_or_else(|| refused(shape))?;
        let (base_uri, database) = before.rsplit_once(DATABASES).ok_or_else(|| refused(shape))?;
        let is_escape = |rest: &str| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        let escapes = category.split('%').skip(1).all(is_escape);
        let plain = category.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
        if !(escapes && plain) {
            return Err(refused("the category is percent-encoded"));
        }
        let category = percent_decode_str(category).decode_utf8().map_err(|_| refused("the category is UTF-8"))?;
        Ok((Self::new(base_uri, database)?, category.into_owned()))
    }
}

/// The database's own URI: `{base_uri}/db/{database}`.
impl fmt::Display for DatabaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{DATABASES}{}", self.base_uri, self.database)
    }
}

impl fmt::Debug for DatabaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseSource({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_any_category_leads_back_to_it() {
        let bank = DatabaseSource::new("https://host:8080/a/", "bank").unwrap();
        assert_eq!(bank.base_uri(), "https://host:8080/a");
        assert_eq!(bank.of("accounts"), "https://host:8080/a/db/bank/streams/accounts");
        assert_eq!(bank.of("a/b é%"), "https://host:8080/a/db/bank/streams/a%2Fb%20%C3%A9%25");
        let long = "c".repeat(300);
        for category in ["t", ".github", "", " ", "a\u{1f}b", "/streams/", "..", "a?b#c", "%41", "\u{1f980}", &long] {
            let source = bank.of(category);
            assert_eq!(DatabaseSource::parse(&source).unwrap(), (bank.clone(), category.to_owned()));
            // As the SDKs read it.
            let encoded = source.split_once("/streams/").unwrap().1;
            assert_eq!(source.rsplit('/').next().unwrap(), encoded);
        }
    }

    #[test]
    fn escapes_are_read_whoever_wrote_them() {
        let category = |encoded: &str| {
            DatabaseSource::parse(&format!("urn:x/db/bank/streams/{encoded}")).map(|(_, category)| category)
        };
        assert_eq!(category("%c3%a9%7E!"), Ok("é~!".to_owned()));
        for bad in ["%", "%4", "%4g", "a%", "%ff", "a b", "é", "a?b", "a#b", "%+1"] {
            assert!(category(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_source_is_refused() {
        for bad in
            ["", "accounts", "/streams/a", "urn:x/db/bank/streams", "urn:x/db/bank/stream/a", "urn:x/bank/streams/a"]
        {
            let refused = DatabaseSource::parse(bad).unwrap_err();
            assert_eq!((&*refused.given, refused.rule), (bad, "it is BASE/db/DATABASE/streams/CATEGORY"));
        }
        assert!(DatabaseSource::parse("speculative://accounts").is_err());
        for (base, database) in [
            ("", "bank"),
            ("host", "bank"),
            ("1a:b", "bank"),
            ("https://host?q", "bank"),
            ("https://ho st", "bank"),
            ("https://host", "b"),
            ("https://host", "a/b"),
            ("https://host/streams/a", "bank"),
            ("https://host", "streams"),
        ] {
            assert!(DatabaseSource::new(base, database).is_err(), "{base} {database}");
        }
        assert!(DatabaseSource::new("https://host/streams", "bank").is_err());
        assert!(DatabaseSource::new("https://host/stream", "upstreams").is_ok());
    }
}

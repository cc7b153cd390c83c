//! Random numbers, names and payloads for tests whose outcome does not depend on them.

use crate::vocabulary::event::EventId;
use std::collections::BTreeMap;

const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALPHANUMERICS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The largest number that [`random_int`] makes when it is given no maximum.
pub const MAX_RANDOM_INT: i64 = 99_999_999_999_999;

/// A number from `min` to `max`, both included. `None` stands for 0 and for [`MAX_RANDOM_INT`]; the two may be given in either
/// order.
///
/// ```
/// use stratalog::testing::data::random_int;
/// assert!((1..=6).contains(&random_int(1, 6)));
/// assert!(random_int(None, None) >= 0);
/// ```
#[must_use]
pub fn random_int(min: impl Into<Option<i64>>, max: impl Into<Option<i64>>) -> i64 {
    let (min, max) = (min.into().unwrap_or(0), max.into().unwrap_or(MAX_RANDOM_INT));
    fastrand::i64(min.min(max)..=min.max(max))
}

/// `length` characters out of `characters`. Out of none comes the empty text.
#[must_use]
pub fn random_string(characters: &str, length: usize) -> String {
    let characters: Vec<char> = characters.chars().collect();
    (0..length).filter_map(|_| fastrand::choice(&characters)).collect()
}

/// `length` letters a to z.
#[must_use]
pub fn random_lowercase_ascii_alphabetics_string(length: usize) -> String {
    random_string(LOWERCASE, length)
}

/// `length` letters A to Z.
#[must_use]
pub fn random_uppercase_ascii_alphabetics_string(length: usize) -> String {
    random_string(UPPERCASE, length)
}

/// `length` letters and digits.
#[must_use]
pub fn random_ascii_alphanumerics_string(length: usize) -> String {
    random_string(ALPHANUMERICS, length)
}

/// `length` letters a to z and hyphens, without a hyphen at either end. Length 0 gives the empty text.
#[must_use]
pub fn random_hyphenated_lowercase_ascii_alphabetics_string(length: usize) -> String {
    let hyphenated = format!("{LOWERCASE}-");
    let letter = || random_lowercase_ascii_alphabetics_string(1);
    match length {
        0 => String::new(),
        1 => letter(),
        _ => letter() + &random_string(&hyphenated, length - 2) + &letter(),
    }
}

/// A random UUID (version 4) as 32 digits in lower case, without hyphens.
#[must_use]
pub fn random_uuid4_string() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A category's name: 10 letters and hyphens.
#[must_use]
pub fn random_event_category_name() -> String {
    random_hyphenated_lowercase_ascii_alphabetics_string(10)
}

/// A stream's name: 42 letters and hyphens.
#[must_use]
pub fn random_event_stream_name() -> String {
    random_hyphenated_lowercase_ascii_alphabetics_string(42)
}

/// An event's name: 15 letters and hyphens.
#[must_use]
pub fn random_event_name() -> String {
    random_hyphenated_lowercase_ascii_alphabetics_string(15)
}

/// An event's id: a random UUID.
#[must_use]
pub fn random_event_id() -> EventId {
    EventId::new(random_uuid4_string())
}

/// A payload: 1 to 10 pairs of a key of 10 letters and a value of 20 letters and digits.
#[must_use]
pub fn random_event_payload() -> BTreeMap<String, String> {
    let pair = || (random_lowercase_ascii_alphabetics_string(10), random_ascii_alphanumerics_string(20));
    (0..fastrand::usize(1..=10)).map(|_| pair()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_their_bounds_and_reach_them() {
        let rolls: Vec<i64> = (0..1_000).map(|_| random_int(1, 3)).collect();
        for number in 1..=3 {
            assert!(rolls.contains(&number));
        }
        assert!(rolls.iter().all(|roll| (1..=3).contains(roll)));
        assert!((0..1_000).all(|_| (0..=MAX_RANDOM_INT).contains(&random_int(None, None))));
        assert!((-5..=5).contains(&random_int(5, -5)));
        assert_eq!(random_int(7, 7), 7);
    }

    #[test]
    fn texts_have_their_length_and_characters() {
        for length in [0, 1, 2, 40] {
            assert_eq!(random_string("äöü", length).chars().count(), length);
            assert!(random_string("äöü", length).chars().all(|found| "äöü".contains(found)));
            let lower = random_lowercase_ascii_alphabetics_string(length);
            assert!(lower.len() == length && lower.bytes().all(|byte| byte.is_ascii_lowercase()));
            let upper = random_uppercase_ascii_alphabetics_string(length);
            assert!(upper.len() == length && upper.bytes().all(|byte| byte.is_ascii_uppercase()));
            let mixed = random_ascii_alphanumerics_string(length);
            assert!(mixed.len() == length && mixed.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        assert_eq!(random_string("", 5), "");
        assert_ne!(random_ascii_alphanumerics_string(40), random_ascii_alphanumerics_string(40));
    }

    #[test]
    fn a_hyphen_stands_at_neither_end_whatever_the_length() {
        let mut hyphens = 0;
        for length in (0..60).chain(0..60).chain(0..60) {
            let text = random_hyphenated_lowercase_ascii_alphabetics_string(length);
            assert_eq!(text.len(), length);
            assert!(!text.starts_with('-') && !text.ends_with('-'), "{text}");
            assert!(text.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{text}");
            hyphens += text.matches('-').count();
        }
        assert!(hyphens > 0);
    }

    #[test]
    fn names_ids_and_payloads_have_their_sizes() {
        assert_eq!(random_event_category_name().len(), 10);
        assert_eq!(random_event_stream_name().len(), 42);
        assert_eq!(random_event_name().len(), 15);
        let id = random_uuid4_string();
        assert!(id.len() == 32 && id.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{id}");
        assert_eq!(id.as_bytes()[12], b'4');
        assert_ne!(random_event_id(), random_event_id());
        for _ in 0..100 {
            let payload = random_event_payload();
            assert!((1..=10).contains(&payload.len()));
            assert!(payload.iter().all(|(key, value)| key.len() == 10 && value.len() == 20));
        }
    }
}

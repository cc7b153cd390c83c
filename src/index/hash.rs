//! Hashes of names and ids that are the same at every opening of a store, so that they can be kept in files.

use crate::vocabulary::event::{EventId, IdRepr};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Sets hashes of one kind apart from those of another.
const TRANSACTIONS: u64 = 0x7472_616e_7361_6374;
const EVENT_IDS: u64 = 0x6576_656e_7420_6964;
const NAMES: u64 = 0x6e61_6d65_735f_6f66;

/// The seed of a store's hashes. The store's id is random, so nobody can choose names that collide in all stores.
pub(crate) fn hash_seed(store_id: &[u8; 16]) -> u64 {
    xxh3_64(store_id)
}

/// The category's half of a stream's or an event id's hash.
pub(crate) fn category_hash(seed: u64, category: impl AsRef<[u8]>) -> u64 {
    xxh3_64_with_seed(category.as_ref(), seed)
}

/// The hash of a stream whose category's half is known.
pub(crate) fn hash_in_category(seed: u64, category_hash: u64, stream: impl AsRef<[u8]>) -> u64 {
    xxh3_64_with_seed(stream.as_ref(), seed ^ category_hash)
}

/// The hash of a stream.
pub(crate) fn stream_hash(seed: u64, category: &str, stream: &str) -> u64 {
    hash_in_category(seed, category_hash(seed, category), stream)
}

/// The hash of an event's name.
pub(crate) fn name_hash(seed: u64, name: impl AsRef<[u8]>) -> u64 {
    xxh3_64_with_seed(name.as_ref(), seed ^ NAMES)
}

/// The hash of a transaction's id.
pub(crate) fn transaction_hash(seed: u64, id: &str) -> u64 {
    xxh3_64_with_seed(id.as_bytes(), seed ^ TRANSACTIONS)
}

/// The hash of an event's id within a category, whose half is known. A UUID is hashed as its text, so that both forms are one.
pub(crate) fn event_id_hash(seed: u64, category_hash: u64, id: &EventId) -> u64 {
    let seed = seed ^ category_hash ^ EVENT_IDS;
    match &id.0 {
        IdRepr::Text(text) => xxh3_64_with_seed(text.as_bytes(), seed),
        IdRepr::Uuid(bytes) => {
            let mut buffer = uuid::Uuid::encode_buffer();
            let text = uuid::Uuid::from_bytes(*bytes).hyphenated().encode_lower(&mut buffer);
            xxh3_64_with_seed(text.as_bytes(), seed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_keep_their_values_and_tell_kinds_apart() {
        let seed = hash_seed(b"0123456789abcdef");
        assert_eq!(seed, 7_224_786_756_799_439_149, "files hold these");
        assert_eq!(stream_hash(seed, "accounts", "acc-1"), 1_867_391_297_460_725_981, "files hold these");
        assert_ne!(stream_hash(seed, "a", "b"), stream_hash(seed, "b", "a"));
        assert_ne!(stream_hash(seed, "a", "b"), stream_hash(seed + 1, "a", "b"));
        assert_ne!(transaction_hash(seed, "a"), category_hash(seed, "a"));
        let id = EventId::from("a");
        assert_ne!(event_id_hash(seed, category_hash(seed, "c"), &id), stream_hash(seed, "c", "a"));
        assert_ne!(
            event_id_hash(seed, category_hash(seed, "c"), &id),
            event_id_hash(seed, category_hash(seed, "d"), &id)
        );
    }

    #[test]
    fn a_uuid_and_its_text_are_one_id() {
        let text = "0190d2c1-7b5e-7000-8000-0123456789ab";
        let packed = EventId::from(text);
        assert!(packed.as_uuid().is_some());
        assert_eq!(event_id_hash(1, 2, &packed), event_id_hash(1, 2, &EventId(IdRepr::Text(text.into()))));
    }
}

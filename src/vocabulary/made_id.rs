//! The ids that the store makes: UUIDs v7 that follow from the store, the sequence number and the recorded time.
//!
//! A made id takes no bytes in the log: it is computed again when it is read. Since the sequence number can be taken out of it
//! again, "is this one of ours?" is answered by looking at one event.

use super::event::{EventId, IdPart, IdRepr, Parts};
use super::time::Timestamp;

/// Bits of the sequence number's scrambled form: the 62 that version and variant leave below the 12 of `rand_a`.
const MASK: u64 = (1 << 62) - 1;
/// An odd factor spreads neighbouring numbers over all 62 bits, and can be undone.
const FACTOR: u64 = 0x2545_f491_4f6c_dd1d;
/// `FACTOR`'s inverse modulo 2^64, hence modulo 2^62 too.
const INVERSE: u64 = inverse(FACTOR);

/// Newton's iteration doubles the number of right bits at each step.
const fn inverse(factor: u64) -> u64 {
    let mut inverse = factor;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(factor.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// What of a store goes into the ids it makes: 74 bits of its random id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdSeed {
    high: u16,
    low: u64,
}

impl IdSeed {
    pub(crate) fn of(store_id: &[u8; 16]) -> Self {
        let [a, b, low @ .., c, d, e, f, g, h] = *store_id;
        let [l0, l1, l2, l3, l4, l5, l6, l7] = low;
        Self {
            high: u16::from_le_bytes([a ^ c ^ e, b ^ d ^ f]) & 0x0fff,
            low: u64::from_le_bytes([l0 ^ g, l1 ^ h, l2 ^ c, l3 ^ d, l4 ^ e, l5 ^ f, l6 ^ a, l7 ^ b]) & MASK,
        }
    }

    /// The id of the event with this number, recorded at this time. A clock before 1970 counts as 1970.
    pub(crate) fn make(self, sequence_number: u64, recorded_at: Timestamp) -> [u8; 16] {
        let milliseconds = u64::try_from(recorded_at.unix_milliseconds()).unwrap_or(0);
        let scrambled = (sequence_number.wrapping_mul(FACTOR) & MASK) ^ self.low;
        uuid_v7(milliseconds, self.high, scrambled)
    }

    /// The id of an event with this number, recorded at this time, unless it is the one that the store makes: that one need not
    /// be looked up.
    pub(crate) fn other_id(
        self,
        parts: &Parts,
        data: &[u8],
        sequence_number: u64,
        recorded_at: Timestamp,
    ) -> Option<EventId> {
        let id = match parts.id {
            IdPart::Made(_) => return None,
            IdPart::Text(span) => EventId::new(std::str::from_utf8(span.of(data)).ok()?),
            IdPart::Uuid(bytes) => EventId(IdRepr::Uuid(bytes)),
        };
        (id.0 != IdRepr::Uuid(self.make(sequence_number, recorded_at))).then_some(id)
    }

    /// The sequence number that `id` was made from, if this store made it. The event there tells for sure.
    pub(crate) fn sequence_number(self, id: &[u8; 16]) -> Option<u64> {
        let bits = from_network_order(*id);
        let fixed =
            (bits >> 76) & 0xf == 7 && (bits >> 62) & 0b11 == 0b10 && (bits >> 64) & 0xfff == u128::from(self.high);
        if !fixed {
            return None;
        }
        let scrambled = u64::try_from(bits & u128::from(MASK)).ok()?;
        Some((scrambled ^ self.low).wrapping_mul(INVERSE) & MASK)
    }
}

/// Lays out a UUID v7 as in RFC 9562, section 5.7: 48 bits of time, version, 12 bits, variant, 62 bits.
fn uuid_v7(milliseconds: u64, rand_a: u16, rand_b: u64) -> [u8; 16] {
    let bits = (u128::from(milliseconds) << 80)
        | (0x7 << 76)
        | (u128::from(rand_a & 0x0fff) << 64)
        | (0b10 << 62)
        | u128::from(rand_b & MASK);
    network_order(bits)
}

#[expect(clippy::big_endian_bytes, reason = "RFC 9562 lays UUIDs out in network byte order, on every machine")]
fn network_order(bits: u128) -> [u8; 16] {
    bits.to_be_bytes()
}

#[expect(clippy::big_endian_bytes, reason = "RFC 9562, as above")]
fn from_network_order(id: [u8; 16]) -> u128 {
    u128::from_be_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_are_version_7_distinct_ordered_by_time_and_give_their_number_back() {
        let seed = IdSeed::of(uuid::Uuid::new_v4().as_bytes());
        let mut seen = std::collections::HashSet::new();
        for number in (0..10_000).chain([MASK - 1, MASK]) {
            let id = seed.make(number, Timestamp::now());
            let uuid = uuid::Uuid::from_bytes(id);
            assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
            assert!(seen.insert(id));
            assert_eq!(seed.sequence_number(&id), Some(number));
        }
        let earlier = seed.make(7, Timestamp::from_unix(1_000, 0).unwrap());
        assert!(earlier < seed.make(6, Timestamp::from_unix(1_000, 1_000_000).unwrap()));
    }

    #[test]
    fn other_stores_ids_are_not_taken_for_ours() {
        let ours = IdSeed::of(&[1; 16]);
        let theirs = IdSeed::of(&[2; 16]).make(5, Timestamp::UNIX_EPOCH);
        let v4 = *uuid::Uuid::new_v4().as_bytes();
        assert_eq!(ours.sequence_number(&v4), None);
        assert_ne!(ours.make(5, Timestamp::UNIX_EPOCH), theirs);
    }
}

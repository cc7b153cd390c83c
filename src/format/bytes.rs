//! Reading and writing fields: little-endian numbers, variable-length numbers, runs of bytes. Reading never panics.

use crate::vocabulary::sevens::Sevens;

/// Reads fields one after the other. Every read past the end, and every malformed number, is `None`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Reads `data` from `at` on.
    #[inline(always)]
    pub(crate) fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at }
    }

    /// Where the next field begins.
    #[inline(always)]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next `length` bytes.
    #[inline(always)]
    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let bytes = self.data.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// The next `N` bytes, copied out.
    #[inline(always)]
    pub(crate) fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.array()
    }

    /// A variable-length number: seven bits a byte, lowest first, the high bit set on all but the last (LEB128). The shortest
    /// form alone is valid, so that one number has one spelling.
    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        // Most are below 128.
        match self.data.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Some(u64::from(*byte))
            }
            _ => {
                let near = self.data.get(self.at..).and_then(|rest| rest.first_chunk());
                // By value: a reference to `self` would keep it out of registers.
                let (value, length) = match near.and_then(|near| near_varint(u64::from_le_bytes(*near))) {
                    Some(found) => found,
                    None => long_varint(self.data, self.at)?,
                };
                self.at += length;
                Some(value)
            }
        }
    }

    /// A variable-length number that may be negative (zigzag).
    #[inline(always)]
    pub(crate) fn signed_varint(&mut self) -> Option<i64> {
        let raw = self.varint()?;
        Some((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// A run of bytes behind its length.
    #[inline(always)]
    pub(crate) fn run(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.bytes(length)
    }

    /// A run of fewer than 128 bytes; `None`, and nothing read, where there is none.
    #[inline(always)]
    pub(crate) fn short_run(&mut self) -> Option<&'a [u8]> {
        let length = *self.data.get(self.at).filter(|length| **length < 0x80)?;
        let (start, end) = (self.at + 1, self.at + 1 + usize::from(length));
        let run = self.data.get(start..end)?;
        self.at = end;
        Some(run)
    }

    /// A run of bytes that is UTF-8.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.run()?).ok()
    }
}

/// The variable-length number at the beginning of eight bytes, and how many it takes: all steps of seven bits at once. `None`
/// where it does not end among them, or is not in its shortest form.
#[inline(always)]
fn near_varint(bytes: u64) -> Option<(u64, usize)> {
    let (packed, length) = packed_varint(bytes)?;
    Some((packed.unpack(), length))
}

/// The same, not unpacked yet: for what is mostly not asked for.
#[inline(always)]
pub(crate) fn packed_varint(bytes: u64) -> Option<(Sevens, usize)> {
    let stops = !bytes & 0x8080_8080_8080_8080;
    if stops == 0 {
        return None;
    }
    // All up to the stop's bit.
    let mask = stops ^ stops.wrapping_sub(1);
    let packed = bytes & mask;
    // Of several bytes, the last is not 0.
    if packed <= mask >> 8 && mask > 0xff {
        return None;
    }
    Some((Sevens(packed), stops.trailing_zeros() as usize / 8 + 1))
}

/// A variable-length number of any length, and how many bytes it takes.
fn long_varint(data: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut at = start;
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *data.get(at)?;
        at += 1;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return (bits != 0 || shift == 0).then_some((value, at - start));
        }
    }
    None
}

/// Whether two texts are the same. In one transaction, most that are lie at the same place.
pub(crate) fn same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// Writes a variable-length number.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

fn low_bits(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

/// Writes a variable-length number that may be negative.
pub(crate) fn put_signed_varint(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Small numbers of both signs as small ones without.
#[inline(always)]
const fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

/// Writes a run of bytes behind its length.
#[inline]
pub(crate) fn put_run(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Bytes of a variable-length number at most.
pub(crate) const LONGEST_VARINT: usize = 10;

/// Writes fields one after the other into room that is there. What does not fit is `None`.
pub(crate) struct Pen<'a> {
    room: &'a mut [u8],
    at: usize,
}

impl<'a> Pen<'a> {
    #[inline(always)]
    pub(crate) fn new(room: &'a mut [u8]) -> Self {
        Self { room, at: 0 }
    }

    /// How many bytes were written.
    #[inline(always)]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(crate) fn fixed<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        *self.room.get_mut(self.at..)?.first_chunk_mut()? = bytes;
        self.at += N;
        Some(())
    }

    /// A run of bytes behind its length.
    #[inline(always)]
    pub(crate) fn run(&mut self, bytes: &[u8]) -> Option<()> {
        self.varint(bytes.len() as u64)?;
        self.bytes(bytes)
    }

    #[inline(always)]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at + bytes.len();
        self.room.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self, mut value: u64) -> Option<()> {
        while value >= 0x80 {
            self.fixed([low_bits(value) | 0x80])?;
            value >>= 7;
        }
        self.fixed([low_bits(value)])
    }

    #[inline(always)]
    pub(crate) fn signed_varint(&mut self, value: i64) -> Option<()> {
        self.varint(zigzag(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_length_numbers_round_trip_in_their_shortest_form() {
        let edges =
            (1..64).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1, 0x5555_5555_5555_5555 >> bits]);
        for value in edges.chain([0, u64::from(u32::MAX), u64::MAX - 1, u64::MAX]) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut fields = Fields::new(&out, 0);
            assert_eq!((fields.varint(), fields.at()), (Some(value), out.len()));
            assert_eq!(Fields::new(&out[..out.len() - 1], 0).varint(), None, "cut short");
            let length = out.len();
            out.extend([0xff; 8]);
            let mut fields = Fields::new(&out, 0);
            assert_eq!((fields.varint(), fields.at()), (Some(value), length), "with more behind");
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX, -300] {
            let mut out = Vec::new();
            put_signed_varint(&mut out, value);
            assert_eq!(Fields::new(&out, 0).signed_varint(), Some(value));
        }
    }

    #[test]
    fn longer_spellings_and_overflows_are_refused() {
        assert_eq!(Fields::new(&[0x80, 0x00], 0).varint(), None);
        for length in 1..9 {
            let mut bytes = [0x80; 16];
            bytes[length] = 0;
            assert_eq!(Fields::new(&bytes, 0).varint(), None, "{length} bytes for 0");
        }
        assert_eq!(Fields::new(&[0xff; 10], 0).varint(), None);
        let mut too_big = [0xff; 10];
        too_big[9] = 0x02;
        assert_eq!(Fields::new(&too_big, 0).varint(), None);
    }

    #[test]
    fn a_run_longer_than_the_data_is_refused() {
        assert_eq!(Fields::new(&[5, 1, 2], 0).run(), None);
        assert_eq!(Fields::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 0).run(), None);
        assert_eq!(Fields::new(&[2, 0xc3, 0x28], 0).text(), None);
    }
}

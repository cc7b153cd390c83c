//! Numbers in steps of seven bits, as frames have them, unpacked when they are asked for.

/// A number of up to 56 bits: seven in each byte, the lowest ones in the lowest byte. The highest bit of a byte says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sevens(pub(crate) u64);

impl Sevens {
    /// The number.
    #[inline(always)]
    pub(crate) fn unpack(self) -> u64 {
        let bits = self.0 & 0x7f7f_7f7f_7f7f_7f7f;
        let pairs = (bits & 0x007f_007f_007f_007f) | (bits & 0x7f00_7f00_7f00_7f00) >> 1;
        let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
        (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4
    }

    /// The number, where it may be negative: the lowest bit says so (zigzag).
    pub(crate) fn unpack_signed(self) -> i64 {
        let raw = self.unpack();
        (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed())
    }
}

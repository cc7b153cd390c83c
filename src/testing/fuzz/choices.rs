//! Choices taken from the fuzzer's bytes, one after the other. Where the bytes end, every choice is zero.

use crate::vocabulary::time::Timestamp;

/// Choices yet to be taken.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    data: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.data.is_empty()
    }

    /// All bytes that are left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.data)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    /// The next bytes: `most`, or all that are left.
    pub(crate) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.data.split_at(most.min(self.data.len()));
        self.data = rest;
        taken
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from(self.u32()) | u64::from(self.u32()) << 32
    }

    /// A number below `limit`; 0 where there is none.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let number = if limit > 0xffff { self.u32() as usize } else { usize::from(self.u16()) };
        number.checked_rem(limit).unwrap_or(0)
    }

    /// So many bytes at most, as many as the next byte says.
    pub(crate) fn run(&mut self, most: usize) -> &'a [u8] {
        let length = usize::from(self.byte()) % (most + 1);
        self.bytes(length)
    }

    /// Text of any letters.
    pub(crate) fn text(&mut self, most: usize) -> String {
        String::from_utf8_lossy(self.run(most)).into_owned()
    }

    /// An instant: the first, the last, or one within three centuries of 1970.
    pub(crate) fn time(&mut self) -> Timestamp {
        match self.byte() {
            0 => Timestamp::MIN,
            1 => Timestamp::MAX,
            _ => {
                let seconds = i64::from(self.u32().cast_signed()) * 4;
                Timestamp::from_unix(seconds, self.u32() % 1_000_000_000).unwrap_or(Timestamp::UNIX_EPOCH)
            }
        }
    }
}

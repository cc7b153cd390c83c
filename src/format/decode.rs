//! Reading whole frames: a view of one, and the events in it.

use super::checksum::frame_seed;
use super::event::{Frame, Front, Named};
use super::event_id::IdSeed;
use super::frame::{FrameHeader, verify};
use super::transaction::Sections;
use crate::vocabulary::event::Parts;
use crate::vocabulary::event::Span;

/// A frame whose header and sections make sense.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameView<'a> {
    /// Exactly the frame.
    pub(crate) bytes: &'a [u8],
    pub(crate) header: FrameHeader,
    pub(crate) sections: Sections,
}

/// Why an event cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventFault {
    /// Its bytes have another checksum than the frame says.
    Checksum,
    /// Its bytes make no sense.
    Malformed,
}

impl<'a> FrameView<'a> {
    /// The frame at the beginning of `bytes`, which may go on beyond it.
    pub(crate) fn open(bytes: &'a [u8]) -> Option<Self> {
        let mut view = Self::EMPTY;
        view.reopen(bytes).then_some(view)
    }

    /// A view of nothing, to be opened.
    pub(crate) const EMPTY: Self = Self { bytes: &[], header: FrameHeader::EMPTY, sections: Sections::EMPTY };

    /// Makes this a view of the frame at the beginning of `bytes`: the same as [`FrameView::open`] without moving it. Where there
    /// is none, `false`, and the view is of no use.
    #[inline(always)]
    pub(crate) fn reopen(&mut self, bytes: &'a [u8]) -> bool {
        let header = &mut self.header;
        if !header.read(bytes) {
            return false;
        }
        let Some(bytes) = bytes.get(..header.length as usize) else {
            return false;
        };
        self.bytes = bytes;
        self.sections.read(bytes, header)
    }

    /// Whether the part that the frame's checksum covers is as written.
    #[inline]
    pub(crate) fn verify(&self, salt: u64, offset: u64) -> bool {
        verify(self.bytes, &self.header, salt, offset)
    }

    /// The bytes after the sections of a frame without events.
    pub(crate) fn body(&self) -> &'a [u8] {
        self.bytes.get(self.sections.end..).unwrap_or_default()
    }

    /// Finds event `index`. With `check`, verifies the bytes that it looks at.
    pub(crate) fn event(
        &self,
        index: u32,
        seed: IdSeed,
        check: Option<FrameCheck>,
        cache: &mut NameCache,
    ) -> Result<Parts, EventFault> {
        let mut parts = Parts::default();
        self.read(index, seed, check, cache, &mut parts)?;
        Ok(parts)
    }

    /// The same into `parts`, whatever they held: who reads many events needs them once. After an error they are of no use.
    #[inline(always)]
    pub(crate) fn read(
        &self,
        index: u32,
        seed: IdSeed,
        check: Option<FrameCheck>,
        cache: &mut NameCache,
        parts: &mut Parts,
    ) -> Result<(), EventFault> {
        let slot = self.header.event(self.bytes, self.sections.end, index).ok_or(EventFault::Malformed)?;
        if let Some(check) = check
            && !slot.verify(self.bytes, check.seed, index)
        {
            return Err(EventFault::Checksum);
        }
        let front = Front::decode(self.bytes, slot.start, slot.end).ok_or(EventFault::Malformed)?;
        (parts.category, parts.stream) = match front.stream {
            Named::Stream(category, stream) => (category, stream),
            Named::Back(back) => cache.stream(index, back, |holder| match self.front(holder, check)?.stream {
                Named::Stream(category, stream) => Ok((category, stream)),
                _ => Err(EventFault::Malformed),
            })?,
            Named::Name(_) => return Err(EventFault::Malformed),
        };
        parts.name = match front.name {
            Named::Name(name) => name,
            Named::Back(back) => cache.name(index, back, |holder| match self.front(holder, check)?.name {
                Named::Name(name) => Ok(name),
                _ => Err(EventFault::Malformed),
            })?,
            Named::Stream(..) => return Err(EventFault::Malformed),
        };
        let frame = Frame { header: self.header, transaction_id: self.sections.id, index, seed };
        front.complete(self.bytes, &frame, parts).ok_or(EventFault::Malformed)
    }

    /// The front of an event that another refers to.
    fn front(&self, index: u32, check: Option<FrameCheck>) -> Result<Front, EventFault> {
        let slot = self.header.event(self.bytes, self.sections.end, index).ok_or(EventFault::Malformed)?;
        if let Some(check) = check
            && !slot.verify(self.bytes, check.seed, index)
        {
            return Err(EventFault::Checksum);
        }
        Front::decode(self.bytes, slot.start, slot.end).ok_or(EventFault::Malformed)
    }
}

/// What verifying a frame's events takes: the frame's seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameCheck {
    seed: u32,
}

impl FrameCheck {
    pub(crate) fn new(salt: u64, offset: u64) -> Self {
        Self { seed: frame_seed(salt, offset) }
    }
}

/// The names last found by way of an earlier event of the same frame: neighbours share them. One frame's cache is no use for
/// another: make it anew.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NameCache {
    stream: Slots<(Span, Span)>,
    name: Slots<Span>,
}

/// Which event carries it, and what it carries: a few, since transactions name a few streams in turn.
type Slots<T> = [Option<(u32, T)>; 4];

impl NameCache {
    fn stream(
        &mut self,
        index: u32,
        back: u32,
        find: impl FnOnce(u32) -> Result<(Span, Span), EventFault>,
    ) -> Result<(Span, Span), EventFault> {
        cached(&mut self.stream, index, back, find)
    }

    fn name(
        &mut self,
        index: u32,
        back: u32,
        find: impl FnOnce(u32) -> Result<Span, EventFault>,
    ) -> Result<Span, EventFault> {
        cached(&mut self.name, index, back, find)
    }
}

fn cached<T: Copy>(
    slots: &mut Slots<T>,
    index: u32,
    back: u32,
    find: impl FnOnce(u32) -> Result<T, EventFault>,
) -> Result<T, EventFault> {
    let holder = index.checked_sub(back).ok_or(EventFault::Malformed)?;
    let slot = &mut slots[holder as usize % 4];
    if let Some((known, value)) = slot
        && *known == holder
    {
        return Ok(*value);
    }
    let value = find(holder)?;
    *slot = Some((holder, value));
    Ok(value)
}

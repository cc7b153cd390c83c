//! What readers have the system provide of a part of the log before they touch it, so that a dead disk is an error and no signal.

use super::LiveSegment;

/// Bytes that are provided before a frame is looked at: most frames are shorter.
pub(super) const SHORT_BYTES: u64 = 4_096;
/// Bytes that a long run has provided at once.
const RUN_BYTES: u64 = 1 << 20;

/// All that readers may see of a segment.
pub(super) fn published(segment: &LiveSegment) -> &[u8] {
    segment.region.slice(0..segment.region.published()).unwrap_or_default()
}

/// As much of `published` as the system was seen to provide, which is up to `ahead` bytes behind `offset` where it can.
#[inline(always)]
pub(super) fn provided<'s>(segment: &LiveSegment, published: &'s [u8], offset: u64, ahead: u64) -> &'s [u8] {
    let end = (offset + ahead).min(published.len() as u64);
    let end = segment.region.provided_to(offset..end.max(offset));
    usize::try_from(end).ok().and_then(|end| published.get(..end)).unwrap_or(published)
}

/// What a run has provided, ever more of it at once.
pub(super) struct Ahead<'s> {
    segment: &'s LiveSegment,
    published: &'s [u8],
    provided: &'s [u8],
    step: u64,
}

impl<'s> Ahead<'s> {
    pub(super) fn new(segment: &'s LiveSegment) -> Self {
        Self { segment, published: published(segment), provided: &[], step: SHORT_BYTES }
    }

    /// The bytes that can be read, with those of a short frame at `offset`, which is not before where it last began.
    #[inline(always)]
    pub(super) fn reach(&mut self, offset: u64) -> &'s [u8] {
        if offset + SHORT_BYTES > self.provided.len() as u64 && self.provided.len() < self.published.len() {
            self.go_on(offset);
        }
        self.provided
    }

    /// Provides bytes from `offset` on.
    #[cold]
    pub(super) fn go_on(&mut self, offset: u64) {
        self.provided = provided(self.segment, self.published, offset, self.step);
        self.step = RUN_BYTES.min(self.step * 4);
    }
}

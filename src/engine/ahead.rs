//! What readers have the system provide of a part of the log before they touch it, so that a dead disk is an error and no signal.

use super::LiveSegment;
use super::numbers::Item;
use super::snapshot::Snapshot;

/// Bytes that are provided before a frame is looked at: most frames are shorter.
pub(super) const SHORT_BYTES: u64 = 4_096;
/// Bytes that most frames are within.
const LIKELY_BYTES: u64 = 512;
/// Bytes between two events of a list, up to which all of them are read together.
const NEAR: u64 = 64 << 10;
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

/// Has the system begin to read what stands where the events of a list do, all of it at once.
#[cold]
pub(super) fn wish_for(snapshot: &Snapshot, items: &[Item]) {
    for part in items.chunk_by(|one, other| one.part == other.part) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let Some(segment) = snapshot.segment(first.part as usize) else { continue };
        let (low, high) = (first.offset.min(last.offset), first.offset.max(last.offset));
        if high - low <= part.len() as u64 * NEAR {
            // What lies between is hardly more than what is wanted, and the system reads on from there by itself.
            segment.region.provided_to(low..(high + LIKELY_BYTES).min(segment.region.published()));
            continue;
        }
        let mut wished = 0..0;
        for item in part {
            if !wished.contains(&item.offset) {
                wished = segment.region.wish(item.offset..item.offset + LIKELY_BYTES);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Region;
    use crate::engine::open::open_on;
    use crate::vocabulary::options::Options;
    use std::sync::Arc;

    #[test]
    fn events_far_apart_are_wished_for_and_those_near_each_other_read_in_one_go() {
        let directory = tempfile::tempdir().unwrap();
        let disk = crate::disk::RealDisk::new(directory.path()).unwrap();
        let engine = open_on(Arc::new(disk), &Options::new().segment_bytes(1 << 20, 1 << 20)).unwrap();
        let real = Arc::clone(&engine.snapshot().unwrap().segments[0]);
        // Another region, of which nothing was asked for yet.
        let region = Arc::new(Region::holed(&vec![0; 64 << 16], 0..0));
        let segment = LiveSegment::empty(real.header.clone(), Arc::clone(&real.file), region, real.start, 0);
        let snapshot = Snapshot { revision: 0, segments: Arc::new(vec![Arc::new(segment)]) };
        let provided = |items: &[u64]| -> Vec<u64> {
            let item = |chunk: &u64| Item { number: 0, offset: chunk * NEAR + 9, part: 0, is_sure: true };
            wish_for(&snapshot, &items.iter().map(item).collect::<Vec<_>>());
            (0..64).filter(|chunk| snapshot.segments[0].region.is_provided(chunk * NEAR)).collect()
        };
        assert!(provided(&[2, 20, 40]).is_empty(), "what is far apart is not waited for");
        assert_eq!(provided(&[8, 7, 5]), [5, 6, 7, 8], "backwards");
        assert_eq!(provided(&[12, 12, 14]), [5, 6, 7, 8, 12, 13, 14]);
    }
}

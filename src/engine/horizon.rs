//! What readers may see: the list of segments, and how far it goes.

use crate::format::place::Place;
use crate::vocabulary::mark::Mark;
use crate::vocabulary::sync::ArcSwap;
use crossbeam::utils::CachePadded;
use std::ops::Deref;
use std::sync::Arc;

/// The list of segments, of type `S`, and the watermark. A segment is in the list before anything in it is visible.
#[derive(Debug)]
pub(super) struct Horizon<S> {
    /// Readers take the list whole; the writer puts a longer one in its place.
    segments: ArcSwap<Vec<Arc<S>>>,
    /// The watermark: how many events readers may see.
    revision: CachePadded<Mark>,
    /// The place up to which frames are visible: the watermark for frames without events.
    end: CachePadded<Mark>,
}

impl<S> Horizon<S> {
    pub(super) fn new(segments: Vec<Arc<S>>, end: Place, revision: u64) -> Self {
        Self {
            segments: ArcSwap::from_pointee(segments),
            revision: CachePadded::new(Mark::new(revision)),
            end: CachePadded::new(Mark::new(end.pack())),
        }
    }

    /// How many events readers may see.
    pub(super) fn revision(&self) -> u64 {
        self.revision.get()
    }

    /// Up to where frames are visible.
    pub(super) fn end(&self) -> Place {
        Place::unpack(self.end.get())
    }

    /// The segments, those included in which nothing is visible yet.
    pub(super) fn segments(&self) -> impl Deref<Target = Arc<Vec<Arc<S>>>> {
        self.segments.load()
    }

    /// The log as readers see it now: the revision, and all segments that it needs.
    pub(super) fn snapshot(&self) -> (u64, Arc<Vec<Arc<S>>>) {
        // The revision first: the list is then at least as new.
        let revision = self.revision();
        (revision, self.segments.load_full())
    }

    /// Adds a segment to the list, nothing of which is visible yet. For the holder of the seat.
    pub(super) fn extend(&self, segment: Arc<S>) {
        let mut segments = Vec::clone(&self.segments());
        segments.push(segment);
        self.segments.store(Arc::new(segments));
    }

    /// Puts another list in place of the one there is: the same segments, or some of them under another index. For one thread at
    /// a time, which keeps whoever extends the list out.
    pub(super) fn replace(&self, segments: Vec<Arc<S>>) {
        self.segments.store(Arc::new(segments));
    }

    /// Lets readers see the log up to `end`, which holds `revision` events. All of that is in its place.
    pub(super) fn publish(&self, end: Place, revision: u64) {
        self.revision.raise(revision);
        self.end.raise(end.pack());
    }

    /// The same for who alone publishes.
    #[inline]
    pub(super) fn publish_alone(&self, end: Place, revision: u64) {
        self.revision.raise_alone(revision);
        self.end.raise_alone(end.pack());
    }
}

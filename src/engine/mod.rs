//! Floor 6: the writer's seat, group commit, the watermark, snapshots, poison, housekeeping: everything about concurrency.
//!
//! An appender takes the seat, judges its conditions, encodes its frame and leaves the seat: it is *staged*. With
//! [`Durability::Sync`] it then waits for a sync that it may lead itself; else it is published at once. Readers load one number,
//! the published revision, and never wait.

mod ahead;
mod append;
mod batch;
mod builder;
#[cfg(feature = "testing")]
mod by_hand;
mod closing;
#[cfg(test)]
mod collision_tests;
mod commit;
mod conditions;
mod cursor;
mod deferred;
#[cfg(test)]
mod deferred_tests;
mod due;
mod durable;
mod evidence;
#[cfg(test)]
mod fault_tests;
mod found;
mod frames;
mod gathering;
mod horizon;
mod housekeeping;
mod indexing;
mod lane;
mod lists;
mod live;
mod making;
#[cfg(test)]
mod making_tests;
#[cfg(all(test, any(loom, shuttle)))]
mod model;
mod numbers;
mod open;
#[cfg(test)]
mod overlap_tests;
mod queue;
mod reading;
mod rotate;
mod salvage;
mod seat;
mod selected;
mod snapshot;
mod source;
mod threads;
mod times;
#[cfg(test)]
mod unfiled_tests;
mod verbatim;
mod verify;
mod watch;

#[cfg(feature = "testing")]
pub(crate) use by_hand::Staged;
pub(crate) use cursor::Cursor;
pub(crate) use frames::FrameWalk;
pub(crate) use open::{make_durable_directory, open};
#[cfg(feature = "testing")]
pub(crate) use open::{open_on, open_without_chores};
#[cfg(feature = "testing")]
pub(crate) use salvage::salvage_on;
pub use salvage::{DroppedRange, Keep, KeptRange, MissingEvents, SalvageReport, Why, salvage};
#[cfg(feature = "testing")]
pub(crate) use verify::verify_on;
pub use verify::{Verdict, VerifyProgress, VerifyReport, verify};

use crate::disk::{Disk, ForkGuard, Lock};
use crate::format::event_id::IdSeed;
use crate::format::place::Place;
#[cfg(feature = "testing")]
use crate::log::Tail;
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::mark::Mark;
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::Durability;
use crate::vocabulary::reentry;
use batch::InFlight;
use bytes::Bytes;
use commit::Commit;
use crossbeam::utils::CachePadded;
use deferred::Deferred;
use horizon::Horizon;
use housekeeping::Chores;
use live::LiveSegment;
use open::Settings;
use parking_lot::{Mutex, RwLock};
use rotate::Slot;
use seat::Seat;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use watch::Watch;

/// System records by namespace and key.
pub(crate) type Records = BTreeMap<(Arc<str>, Arc<str>), Bytes>;

/// An open store.
#[derive(Debug)]
pub(crate) struct Engine {
    settings: Settings,
    disk: Arc<dyn Disk>,
    store_id: [u8; 16],
    seed: IdSeed,
    /// Seeds the hashes of names and ids.
    hash_seed: u64,
    /// What readers may see.
    horizon: Horizon<LiveSegment>,
    /// Where those sleep who wait for more of it.
    watch: Watch,
    /// The place up to which everything is durable, and the revision there.
    durable: CachePadded<Mark>,
    durable_revision: Mark,
    seat: Mutex<Seat>,
    /// Bytes of memory that the seat's knowledge of names takes.
    known_bytes: AtomicU64,
    /// How often the writer asked the indexes for a stream that nobody had, and how many indexes of complete parts were searched
    /// for that although their filters said that it may be there.
    misses: AtomicU64,
    searched_in_vain: AtomicU64,
    /// Batches that were taken from the seat and are not visible yet.
    in_flight: InFlight,
    commit: Commit,
    deferred: Deferred,
    /// Held by who syncs when appenders do not wait for it.
    syncing: Mutex<()>,
    /// Held by who brings pages that will be stored into into memory, ahead of the writer: for one step.
    warming: Mutex<()>,
    prepared: Mutex<Slot>,
    /// Held by who makes index files: the index of the frames of the segment in use whose parts have one, if it is known.
    indexing: Mutex<Option<Box<making::Making>>>,
    /// Held by who changes the list of segments.
    listing: Mutex<()>,
    chores: Chores,
    records: RwLock<Records>,
    closed: AtomicBool,
    /// Held by who closes the store; whether that is done.
    ended: Mutex<bool>,
    fork: ForkGuard,
    /// How the log ended when it was opened.
    #[cfg(feature = "testing")]
    found: Tail,
    lock: Mutex<Option<Box<dyn Lock>>>,
    first_recorded_at: OnceLock<crate::vocabulary::time::Timestamp>,
    last_recorded_at: Mutex<Option<crate::vocabulary::time::Timestamp>>,
}

impl Engine {
    /// How many events readers may see.
    pub(crate) fn revision(&self) -> u64 {
        self.horizon.revision()
    }

    /// Up to which revision the log would survive a power cut.
    pub(crate) fn durable_revision(&self) -> Revision {
        Revision::new(self.durable_revision.get())
    }

    pub(crate) fn durability(&self) -> Durability {
        self.settings.durability
    }

    fn is_sync(&self) -> bool {
        self.settings.durability == Durability::Sync
    }

    fn visible_place(&self) -> Place {
        self.horizon.end()
    }

    fn durable_place(&self) -> Place {
        Place::unpack(self.durable.get())
    }

    /// Notes that everything up to `place` is durable, which holds `revision` events.
    fn set_durable(&self, place: Place, revision: u64) {
        self.durable.raise(place.pack());
        self.durable_revision.raise(revision);
    }

    /// The first failure of a write or sync, if there was one.
    pub(crate) fn poison(&self) -> Option<&Arc<str>> {
        self.commit.gathering.poison()
    }

    /// After a failed write or sync: no more appends until reopened, and whoever waits learns of it.
    fn set_poison(&self, cause: &str) -> Arc<str> {
        let cause = self.commit.gathering.set_poison(cause);
        self.deferred.fail(&cause);
        self.watch.tell();
        cause
    }

    /// Whether reads may go ahead.
    pub(crate) fn admit_read(&self) -> Result<(), ReadError> {
        if reentry::is_judging() {
            return Err(ReadError::CalledFromCondition);
        }
        if self.closed.load(Ordering::Acquire) { Err(ReadError::Closed) } else { Ok(()) }
    }

    /// Whether appends may go ahead.
    fn admit_append(&self) -> Result<(), AppendError> {
        if reentry::is_judging() {
            return Err(AppendError::CalledFromCondition);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(AppendError::Closed);
        }
        if self.settings.read_only {
            return Err(AppendError::ReadOnly);
        }
        if self.fork.is_fork() {
            return Err(AppendError::Forked);
        }
        match self.poison() {
            Some(cause) => Err(AppendError::Poisoned { cause: Arc::clone(cause), unknown: false }),
            None => Ok(()),
        }
    }

    /// The value of a system record.
    pub(crate) fn record(&self, namespace: &str, key: &str) -> Option<Bytes> {
        self.records.read().get(&(Arc::from(namespace), Arc::from(key))).cloned()
    }

    /// The system records of a namespace.
    pub(crate) fn records(&self, namespace: &str) -> Vec<(Arc<str>, Bytes)> {
        let first = (Arc::from(namespace), Arc::from(""));
        let records = self.records.read();
        let of_namespace = records.range(first..).take_while(|((known, _), _)| &**known == namespace);
        of_namespace.map(|((_, key), value)| (Arc::clone(key), value.clone())).collect()
    }
}

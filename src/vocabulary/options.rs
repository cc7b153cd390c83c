//! How a store is opened: durability, limits, settings.

use super::payload::Codec;
use super::time::{Clock, SystemClock};
use std::sync::Arc;
use std::time::Duration;

/// What `Ok` from an append means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// On disk: survives a power cut. Appenders that wait at the same time share one sync.
    #[default]
    Sync,
    /// In the operating system's page cache: survives the process, and is synced within this time even if nothing more is
    /// appended. After a power cut the store opens at a whole-transaction prefix with everything up to the last sync.
    Interval(Duration),
    /// In the operating system's page cache: survives the process; synced every few MiB, when what was written gets its index
    /// file, on `sync()` and on close.
    Os,
    /// In this process's memory: survives nothing. The memory adapter's.
    Memory,
}

/// Whether opening may create.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenMode {
    /// Opens a store, or makes one where there is none.
    #[default]
    CreateIfMissing,
    /// Makes a store; an error where there is one.
    CreateNew,
    /// Opens a store; an error where there is none.
    Existing,
    /// Opens a store for reading alone: nothing is written, a torn tail is left as it is and not shown.
    ReadOnly,
}

/// What an append may hold at most. Checked before anything is written; exceeding one is
/// [`LimitExceeded`](crate::LimitExceeded).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a category, stream or event name, an event id, a content type or a schema URI. Default 4,096.
    pub name_bytes: usize,
    /// Bytes of a transaction id. Default 255, which is also the most.
    pub transaction_id_bytes: usize,
    /// Bytes of one payload. Default 16 MiB.
    pub payload_bytes: usize,
    /// Bytes of one event's metadata. Default 1 MiB.
    pub metadata_bytes: usize,
    /// Attributes of one event or transaction. Default 128; at most 4,096.
    pub attributes: usize,
    /// Bytes of one attribute's name. Default 255.
    pub attribute_name_bytes: usize,
    /// Bytes of one attribute's value. Default 64 KiB.
    pub attribute_value_bytes: usize,
    /// Events of one transaction. Default 100,000; at most 2^24.
    pub transaction_events: usize,
    /// Bytes of one transaction as stored. Default 64 MiB; at most 1 GiB.
    pub transaction_bytes: usize,
    /// Bytes of one system record's namespace and key together. Default 1,024.
    pub record_key_bytes: usize,
    /// Bytes of one system record's value. Default 1 MiB.
    pub record_value_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            name_bytes: 4_096,
            transaction_id_bytes: 255,
            payload_bytes: 16 << 20,
            metadata_bytes: 1 << 20,
            attributes: 128,
            attribute_name_bytes: 255,
            attribute_value_bytes: 64 << 10,
            transaction_events: 100_000,
            transaction_bytes: 64 << 20,
            record_key_bytes: 1_024,
            record_value_bytes: 1 << 20,
        }
    }
}

impl Limits {
    /// The default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These limits held to what the format can carry.
    pub(crate) fn held(mut self) -> Self {
        self.name_bytes = self.name_bytes.min(64 << 10);
        self.transaction_id_bytes = self.transaction_id_bytes.min(255);
        self.attributes = self.attributes.min(4_096);
        self.transaction_events = self.transaction_events.min(1 << 24);
        self.transaction_bytes = self.transaction_bytes.min(1 << 30);
        self
    }
}

/// How a store on disk is opened. `Options::default()` is what [`EventStore::open`](crate::EventStore::open) uses.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Whether opening may create. Default: yes.
    pub mode: OpenMode,
    /// What `Ok` from an append means. Default: [`Durability::Sync`].
    pub durability: Durability,
    /// What an append may hold at most. Default: [`Limits::default`]; what is above the format's own bounds is held to those.
    pub limits: Limits,
    /// How [`EventStore::event`](crate::EventStore::event) writes typed payloads. Default: MessagePack.
    pub codec: Codec,
    /// Where recorded times come from. Default: the system's clock.
    pub clock: Arc<dyn Clock>,
    /// How long an append waits for its turn, and then for its sync, before it fails: with
    /// [`TimedOut`](crate::AppendError::TimedOut) when it was not begun, with [`Unknown`](crate::AppendError::Unknown) when it
    /// may still happen. Default: 30 s.
    pub append_deadline: Duration,
    /// How many bytes of deferred appends may be in flight: queued, or accepted and not durable. What goes beyond is refused with
    /// [`Full`](crate::AppendError::Full), unless nothing is in flight. Each transaction counts as the bytes of its content, and
    /// 128 bytes for itself and for each event. Default: 64 MiB.
    pub deferred_bytes: u64,
    /// Whether reads check the events' checksums, and fail with [`Corrupt`](crate::ReadError::Corrupt) where they are wrong.
    /// Default: yes. Without checks, a name whose bytes are damaged and no longer UTF-8 may read as an empty one.
    pub verify_reads: bool,
    /// Refuses names outside EvidentSource's rules. Kept with the store: `None` (the default) takes what the store says, and
    /// no for a new one; another value than the store's is a typed error.
    pub strict_names: Option<bool>,
    /// Bytes of the first segment; each next one is twice as big up to `segment_bytes_max`. Default 1 MiB.
    pub segment_bytes_first: u64,
    /// Bytes of a segment at most, a single larger transaction apart. Default 64 MiB; at most 1 GiB.
    pub segment_bytes_max: u64,
    /// How many streams an open store knows by heart, about: appending to one of these asks no index. Takes 64 to 128 bytes of
    /// memory for each stream that was appended to since opening, and that of names beyond 30 bytes. Default 2^21.
    pub known_streams: usize,
    /// Opens directories on network file systems too, whose locks and syncs may not hold. Default: no.
    pub allow_network_file_system: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: OpenMode::CreateIfMissing,
            durability: Durability::Sync,
            limits: Limits::default(),
            codec: Codec::MessagePack,
            clock: Arc::new(SystemClock),
            append_deadline: Duration::from_secs(30),
            deferred_bytes: 64 << 20,
            verify_reads: true,
            strict_names: None,
            segment_bytes_first: 1 << 20,
            segment_bytes_max: 64 << 20,
            known_streams: 1 << 21,
            allow_network_file_system: false,
        }
    }
}

impl Options {
    /// The default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Options::mode`].
    #[must_use]
    pub fn mode(mut self, mode: OpenMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets [`Options::durability`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets [`Options::limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`Options::codec`].
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// Sets [`Options::clock`].
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets [`Options::append_deadline`].
    #[must_use]
    pub fn append_deadline(mut self, deadline: Duration) -> Self {
        self.append_deadline = deadline;
        self
    }

    /// Sets [`Options::deferred_bytes`].
    #[must_use]
    pub fn deferred_bytes(mut self, bytes: u64) -> Self {
        self.deferred_bytes = bytes;
        self
    }

    /// Sets [`Options::verify_reads`].
    #[must_use]
    pub fn verify_reads(mut self, verify: bool) -> Self {
        self.verify_reads = verify;
        self
    }

    /// Sets [`Options::strict_names`].
    #[must_use]
    pub fn strict_names(mut self, strict: bool) -> Self {
        self.strict_names = Some(strict);
        self
    }

    /// Sets [`Options::segment_bytes_first`] and [`Options::segment_bytes_max`].
    #[must_use]
    pub fn segment_bytes(mut self, first: u64, max: u64) -> Self {
        self.segment_bytes_first = first;
        self.segment_bytes_max = max;
        self
    }

    /// Sets [`Options::known_streams`].
    #[must_use]
    pub fn known_streams(mut self, streams: usize) -> Self {
        self.known_streams = streams;
        self
    }
}

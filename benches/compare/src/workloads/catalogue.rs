//! The catalogue of workloads: what each is called, what it counts, how much data it is about, and which store it works on.

/// A workload. The order is that of the catalogue, and of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// One event a call, not synced.
    Append1Os,
    /// The same, onto the filled store.
    AppendMoreOs,
    /// The same, onto as many streams as there are events.
    AppendWide,
    /// A hundred events a call, not synced.
    Append100Os,
    /// One event a call, made durable behind the caller's back.
    Deferred,
    /// One event a call, synced, one thread.
    Sync1,
    /// Stratalog and the limit in turn, for an interval around their ratio.
    SyncPairs,
    /// As the first synced one, eight threads.
    Sync8,
    /// The same, sixty-four threads.
    Sync64,
    /// All of the log, in order.
    ScanLog,
    /// Whole streams at random.
    ReadStreams,
    /// One category after the other.
    ReadCategory,
    /// Opening what was closed.
    Reopen,
    /// Opening what a killed process left, its active segment a tenth full.
    Killed10,
    /// Half full.
    Killed50,
    /// All but full.
    Killed99,
    /// Bytes on disk.
    Bytes,
    /// Many events without a pause, until the store is closed.
    Sustained,
    /// Many events at a steady pace.
    Paced,
    /// Onto ten times the events.
    AppendLarge,
    /// Opening ten times the events, after a clean close.
    ReopenLarge,
    /// After a kill, the active segment a tenth full.
    KilledLarge10,
    /// Half full.
    KilledLarge50,
    /// All but full.
    KilledLarge99,
    /// Memory after opening and reading a large store of long streams.
    MemoryLong,
    /// First events of new streams, onto a large store of short streams.
    NewStreams,
    /// Memory after opening and reading that store.
    MemoryShort,
    /// Small events, a million of them: what the huge store is held against.
    SmallResident,
    /// Appends onto them.
    SmallAppend,
    /// The same streams again and again, of a huge store.
    HugeResident,
    /// Streams of a huge store that are not in memory.
    HugeCold,
    /// Opening a huge store.
    HugeReopen,
    /// Memory after opening and reading a huge store.
    HugeMemory,
    /// Appends onto a huge store.
    HugeAppend,
    /// First events of new streams, onto a huge store.
    HugeNew,
}

/// How much data a workload is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As the options say.
    Usual,
    /// As many streams as events.
    Wide,
    /// As many events as the options say of a large store, streams as usual.
    Large,
    /// The same, a hundred events a stream.
    LargeLong,
    /// The same, five events a stream.
    LargeShort,
    /// As usual, of 64 bytes.
    Small,
    /// As many events as the options say of a huge store, of 64 bytes, a hundred a stream.
    Huge,
}

impl Scale {
    /// All of them, in the order of a run.
    pub const ALL: [Self; 7] =
        [Self::Usual, Self::Wide, Self::Large, Self::LargeLong, Self::LargeShort, Self::Small, Self::Huge];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Wide => "wide",
            Self::Large => "large",
            Self::LargeLong => "large-long",
            Self::LargeShort => "large-short",
            Self::Small => "small",
            Self::Huge => "huge",
        }
    }

    /// Whether it belongs to a run of its own.
    pub fn is_huge(self) -> bool {
        matches!(self, Self::Small | Self::Huge)
    }

    /// Whether it is about more events than a usual store has.
    pub fn is_large(self) -> bool {
        matches!(self, Self::Large | Self::LargeLong | Self::LargeShort)
    }
}

/// Which store a workload finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// None: an empty folder.
    Empty,
    /// The filled one, which stays as it is.
    Filled,
    /// A copy of the filled one.
    Copy,
    /// The filled one, which is changed: too big to be copied. Comes after all that only look at it.
    Changing,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Events a second: more is better.
    Events,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Bytes for each event.
    Bytes,
    /// Mebibytes.
    Mebibytes,
}

impl Unit {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events/s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
            Self::Bytes => "bytes an event",
            Self::Mebibytes => "MiB",
        }
    }
}

/// What there is to know of a workload.
struct Entry {
    workload: Workload,
    name: &'static str,
    title: &'static str,
    unit: Unit,
    scale: Scale,
    start: Start,
}

/// All of them, in the order in which they are declared.
const CATALOGUE: [Entry; 35] = {
    use Scale::{Huge, Large, LargeLong, LargeShort, Small, Usual, Wide};
    use Start::{Changing, Copy, Empty, Filled};
    use Unit::{Bytes, Events, Mebibytes, Microseconds, Milliseconds};
    use Workload as W;
    [
        of(W::Append1Os, "append-1-os", "Append, 1 event a call, 1 thread, Os", Events, Usual, Empty),
        of(
            W::AppendMoreOs,
            "append-more-os",
            "Append onto the filled store, 1 event a call, 1 thread, Os",
            Events,
            Usual,
            Copy,
        ),
        of(W::AppendWide, "append-wide-os", "Append onto as many streams as events, Os", Events, Wide, Copy),
        of(W::Append100Os, "append-100-os", "Append, 100 events a call, 1 thread, Os", Events, Usual, Empty),
        of(W::Deferred, "append-deferred", "Deferred append, 1 thread, Sync", Events, Usual, Empty),
        of(W::Sync1, "append-1-sync-1", "Append, 1 event a call, 1 thread, Sync", Events, Usual, Empty),
        of(
            W::SyncPairs,
            "append-1-sync-pairs",
            "Append, 1 event a call, 1 thread, Sync, in pairs",
            Events,
            Usual,
            Empty,
        ),
        of(W::Sync8, "append-1-sync-8", "Append, 1 event a call, 8 threads, Sync", Events, Usual, Empty),
        of(W::Sync64, "append-1-sync-64", "Append, 1 event a call, 64 threads, Sync", Events, Usual, Empty),
        of(W::ScanLog, "scan-log", "Scan of the whole log", Events, Usual, Filled),
        of(W::ReadStreams, "read-streams", "Whole streams at random", Events, Usual, Filled),
        of(W::ReadCategory, "read-category", "Scan of one category", Events, Usual, Filled),
        of(W::Reopen, "reopen", "Reopen after a clean close", Milliseconds, Usual, Filled),
        of(W::Killed10, "reopen-killed-10", "Reopen after SIGKILL, segment 10 % full", Milliseconds, Usual, Copy),
        of(W::Killed50, "reopen-killed-50", "Reopen after SIGKILL, segment 50 % full", Milliseconds, Usual, Copy),
        of(W::Killed99, "reopen-killed-99", "Reopen after SIGKILL, segment 99 % full", Milliseconds, Usual, Copy),
        of(W::Bytes, "bytes", "Bytes on disk for each event", Bytes, Usual, Filled),
        of(W::Sustained, "sustained-os", "Append without a pause until closed, Os", Events, Large, Empty),
        of(W::Paced, "paced-os", "Append at a steady pace, Os: p99.99", Microseconds, Large, Empty),
        of(W::AppendLarge, "append-large-os", "Append onto a large store, Os", Events, Large, Copy),
        of(W::ReopenLarge, "reopen-large", "Reopen a large store", Milliseconds, LargeLong, Filled),
        of(
            W::KilledLarge10,
            "reopen-large-killed-10",
            "Reopen a large store after SIGKILL, segment 10 % full",
            Milliseconds,
            LargeLong,
            Copy,
        ),
        of(
            W::KilledLarge50,
            "reopen-large-killed-50",
            "Reopen a large store after SIGKILL, segment 50 % full",
            Milliseconds,
            LargeLong,
            Copy,
        ),
        of(
            W::KilledLarge99,
            "reopen-large-killed-99",
            "Reopen a large store after SIGKILL, segment 99 % full",
            Milliseconds,
            LargeLong,
            Copy,
        ),
        of(W::MemoryLong, "memory-long", "Memory of a large store, 100 events a stream", Mebibytes, LargeLong, Filled),
        of(
            W::NewStreams,
            "new-streams-os",
            "First events of new streams onto a large store, Os",
            Events,
            LargeShort,
            Copy,
        ),
        of(W::MemoryShort, "memory-short", "Memory of a large store, 5 events a stream", Mebibytes, LargeShort, Filled),
        of(
            W::SmallResident,
            "small-resident",
            "The same streams again and again, a usual store of small events",
            Events,
            Small,
            Filled,
        ),
        of(W::SmallAppend, "small-append-os", "Append onto a usual store of small events, Os", Events, Small, Copy),
        of(W::HugeResident, "huge-resident", "The same streams again and again, a huge store", Events, Huge, Filled),
        of(W::HugeCold, "huge-cold", "Streams that are not in memory, a huge store", Events, Huge, Filled),
        of(W::HugeReopen, "huge-reopen", "Reopen a huge store", Milliseconds, Huge, Filled),
        of(W::HugeMemory, "huge-memory", "Memory of a huge store", Mebibytes, Huge, Filled),
        of(W::HugeAppend, "huge-append-os", "Append onto a huge store, Os", Events, Huge, Changing),
        of(
            W::HugeNew,
            "huge-new-streams-os",
            "First events of new streams onto a huge store, Os",
            Events,
            Huge,
            Changing,
        ),
    ]
};

const fn of(
    workload: Workload,
    name: &'static str,
    title: &'static str,
    unit: Unit,
    scale: Scale,
    start: Start,
) -> Entry {
    Entry { workload, name, title, unit, scale, start }
}

impl Workload {
    /// All of them, in the order of the report.
    pub const ALL: [Self; CATALOGUE.len()] = {
        let (mut all, mut place) = ([Self::Append1Os; CATALOGUE.len()], 0);
        while place < all.len() {
            all[place] = CATALOGUE[place].workload;
            place += 1;
        }
        all
    };

    /// What there is to know of it.
    fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize]
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// What it is, in a line.
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// The workload of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// What its figure counts.
    pub fn unit(self) -> Unit {
        self.entry().unit
    }

    /// How much data it is about.
    pub fn scale(self) -> Scale {
        self.entry().scale
    }

    /// Which store it finds.
    pub fn start(self) -> Start {
        self.entry().start
    }

    /// Whether less is better.
    pub fn less_is_better(self) -> bool {
        self.unit() != Unit::Events
    }

    /// Whether it appends without syncing.
    pub fn is_os(self) -> bool {
        matches!(self, Self::Append1Os | Self::AppendMoreOs | Self::Append100Os | Self::AppendWide)
    }

    /// Whether it may fill memory faster than a machine gets it.
    pub fn fills_memory(self) -> bool {
        self.is_os()
            || matches!(self, Self::Deferred | Self::Sustained | Self::Paced | Self::AppendLarge | Self::NewStreams)
    }

    /// Whether it appends, and syncs.
    pub fn is_sync(self) -> bool {
        self.threads().is_some()
    }

    /// Whether it reads.
    pub fn is_read(self) -> bool {
        matches!(self, Self::ScanLog | Self::ReadStreams | Self::ReadCategory)
    }

    /// Whether it is about Stratalog and the limit alone.
    pub fn is_alone(self) -> bool {
        self.scale().is_large() || self.scale().is_huge() || matches!(self, Self::SyncPairs | Self::AppendWide)
    }

    /// How many threads append and sync, where it does that.
    pub fn threads(self) -> Option<usize> {
        match self {
            Self::Sync1 | Self::SyncPairs => Some(1),
            Self::Sync8 => Some(8),
            Self::Sync64 => Some(64),
            _ => None,
        }
    }

    /// How full the active segment is when the process is killed, in percent, where it is.
    pub fn killed_at(self) -> Option<u32> {
        match self {
            Self::Killed10 | Self::KilledLarge10 => Some(10),
            Self::Killed50 | Self::KilledLarge50 => Some(50),
            Self::Killed99 | Self::KilledLarge99 => Some(99),
            _ => None,
        }
    }

    /// Whether it works on a store that was filled beforehand.
    pub fn needs_filled(self) -> bool {
        self.start() != Start::Empty
    }

    /// Whether it was measured once when it was measured: nothing of it changes.
    pub fn is_fixed(self) -> bool {
        self == Self::Bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_and_a_title_of_its_own() {
        for (place, workload) in Workload::ALL.into_iter().enumerate() {
            assert_eq!(workload as usize, place, "{}", workload.name());
            assert_eq!(Workload::named(workload.name()), Some(workload));
            let others = || Workload::ALL.into_iter().skip(place + 1);
            assert!(others().all(|other| other.title() != workload.title()), "{}", workload.title());
            assert!(Scale::ALL.contains(&workload.scale()));
        }
    }
}

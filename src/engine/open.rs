//! Opening, closing and verifying a store.

use super::batch::InFlight;
use super::builder::{Builder, Built};
use super::closing::Closing;
use super::commit::Commit;
use super::deferred::Deferred;
use super::horizon::Horizon;
use super::housekeeping::Chores;
use super::indexing::{Indexed, PART_BYTES, PARTS_A_SEGMENT};
use super::rotate::{Slot, new_header};
use super::seat::Seat;
use super::watch::Watch;
use super::{Engine, LiveSegment, Records};
use crate::disk::{self, Disk, FileSystem, ForkGuard, RealDisk};
use crate::format::encode::{self, Context, TransactionSource};
use crate::format::event::EventSource;
use crate::format::event_id::IdSeed;
use crate::format::frame::Kind;
use crate::format::place::{Place, aligned};
use crate::index::{WriterCache, hash_seed};
use crate::log::{self, Reading, Tail, create_segment, index_of, segment_number};
use crate::segment::Start;
use crate::vocabulary::append::OWN_NAMESPACE;
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::error::{AppendError, IoFailure, OpenError};
use crate::vocabulary::mark::Mark;
use crate::vocabulary::options::{Durability, Limits, OpenMode, Options};
use crate::vocabulary::reentry;
use crate::vocabulary::time::{Clock, Timestamp};
use crate::vocabulary::transaction::SystemRecord;
use crossbeam::utils::CachePadded;
use parking_lot::{Mutex, RwLock};
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The least that a segment may hold.
const SEGMENT_BYTES_LEAST: u64 = 16 << 10;
/// The most.
const SEGMENT_BYTES_MOST: u64 = 1 << 30;
/// The system record that keeps [`Options::strict_names`].
pub(super) const STRICT_NAMES: &str = "strict_names";

/// What an open store goes by.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) durability: Durability,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) append_deadline: Duration,
    pub(crate) verify_reads: bool,
    pub(crate) strict_names: bool,
    pub(crate) read_only: bool,
    pub(crate) segment_bytes_first: u64,
    pub(crate) segment_bytes_max: u64,
    /// How many bytes of frames have their index in memory at most, before another part begins.
    pub(crate) part_bytes: u64,
}

/// Opens the store in the directory `path`.
///
/// # Errors
/// [`OpenError`].
pub(crate) fn open(path: &Path, options: &Options) -> Result<Arc<Engine>, OpenError> {
    check_options(options)?;
    prepare_directory(path, options)?;
    if !options.allow_network_file_system
        && let FileSystem::Network(kind) = disk::file_system(path)?
    {
        return Err(OpenError::NetworkFileSystem { path: path.to_owned(), kind });
    }
    open_on(Arc::new(RealDisk::new(path)?), options)
}

fn check_options(options: &Options) -> Result<(), OpenError> {
    let refused = |option, value: String, rule| Err(OpenError::InvalidOption { option, value, rule });
    if options.durability == Durability::Memory {
        return refused("durability", "Memory".into(), "the memory adapter's alone");
    }
    let (first, max) = (options.segment_bytes_first, options.segment_bytes_max);
    for (option, bytes) in [("segment_bytes_first", first), ("segment_bytes_max", max)] {
        if !(SEGMENT_BYTES_LEAST..=SEGMENT_BYTES_MOST).contains(&bytes) || bytes % 4_096 != 0 {
            return refused(option, bytes.to_string(), "16 KiB to 1 GiB, a multiple of 4 KiB");
        }
    }
    if first > max {
        return refused("segment_bytes_first", first.to_string(), "at most segment_bytes_max");
    }
    Ok(())
}

/// Makes the directory where it may be made, and checks what is there against the mode. Creates nothing for other modes.
fn prepare_directory(path: &Path, options: &Options) -> Result<(), OpenError> {
    let failed = |doing| move |error| OpenError::from(IoFailure::new(doing, path, error));
    let exists = path.try_exists().map_err(failed("stat"))?;
    let names = if exists { RealDisk::new(path)?.list()? } else { Vec::new() };
    let store_there = names.iter().any(|name| segment_number(name).is_some());
    match options.mode {
        OpenMode::Existing | OpenMode::ReadOnly if !store_there => {
            return Err(OpenError::NotFound { path: path.to_owned() });
        }
        OpenMode::CreateNew if store_there => return Err(OpenError::AlreadyExists { path: path.to_owned() }),
        _ => {}
    }
    // Before the lock is taken, which would leave its file among the strangers.
    if let Some(found) = log::foreign(&names).filter(|_| !store_there) {
        return Err(OpenError::NotAStore { path: path.to_owned(), found: found.clone() });
    }
    if !store_there {
        make_durable_directory(path)?;
    }
    Ok(())
}

/// Makes the directory and all above it that are missing, and syncs every directory that holds a new name: names must survive a
/// power cut before anything in the directory is promised. The one right above is synced in any case: who made it before may have
/// been cut short.
pub(crate) fn make_durable_directory(path: &Path) -> Result<(), OpenError> {
    let failed = |doing: &'static str, at: &Path| {
        let at = at.to_owned();
        move |error| OpenError::from(IoFailure::new(doing, at, error))
    };
    let absolute = std::path::absolute(path).map_err(failed("resolve", path))?;
    let missing = absolute.ancestors().take_while(|above| !above.exists()).count();
    std::fs::create_dir_all(path).map_err(failed("create directory", path))?;
    for parent in absolute.ancestors().skip(1).take(missing.max(1)) {
        let directory = std::fs::File::open(parent).map_err(failed("open parent directory", parent))?;
        directory.sync_all().map_err(failed("sync parent directory", parent))?;
    }
    Ok(())
}

/// Opens the store on a disk.
pub(crate) fn open_on(disk: Arc<dyn Disk>, options: &Options) -> Result<Arc<Engine>, OpenError> {
    let engine = open_without_chores(disk, options)?;
    engine.chores.belong_to(&engine);
    engine.index_what_was_found();
    Ok(engine)
}

/// Opens the store on a disk, without housekeeping: a simulation does the chores itself, at moments of its choice.
pub(crate) fn open_without_chores(disk: Arc<dyn Disk>, options: &Options) -> Result<Arc<Engine>, OpenError> {
    let read_only = options.mode == OpenMode::ReadOnly;
    let lock = if read_only { disk.lock_to_look()? } else { disk.lock()? };
    let lock = lock.ok_or_else(|| OpenError::AlreadyOpen {
        path: disk.path().to_owned(),
        process: disk::lock_holder(disk.path()),
    })?;
    let mut builder = Builder::opening(&*disk);
    let reading = match log::read(&*disk, !read_only, &mut builder)? {
        // Looked at before the lock was had, too: somebody may have made a store since then.
        Some(_) if options.mode == OpenMode::CreateNew => {
            return Err(OpenError::AlreadyExists { path: disk.path().to_owned() });
        }
        Some(reading) => reading,
        // Looked at before the lock was had, too: the files may have gone since then.
        None if matches!(options.mode, OpenMode::Existing | OpenMode::ReadOnly) => {
            return Err(OpenError::NotFound { path: disk.path().to_owned() });
        }
        None => {
            remove_temporary(&*disk)?;
            create_store(&*disk, options)?;
            builder = Builder::opening(&*disk);
            let created = log::read(&*disk, true, &mut builder)?;
            created.ok_or_else(|| OpenError::NotFound { path: disk.path().to_owned() })?
        }
    };
    let strict_names = resolve_strict_names(options, &builder.records)?;
    if !read_only {
        // Gone for good with the sync of the directory that comes first in a repair, before anything is written.
        Closing::remove(&*disk)?;
        log::repair(&*disk, &reading)?;
        remove_unused_indexes(&*disk, &builder.index_files);
    }
    let built = builder.built();
    let engine = Arc::new(assemble(disk, options, strict_names, built, &reading)?);
    *engine.lock.lock() = Some(lock);
    Ok(engine)
}

fn remove_temporary(disk: &dyn Disk) -> Result<(), IoFailure> {
    for name in disk.list()?.iter().filter(|name| log::is_temporary(name)) {
        disk.remove(name)?;
    }
    Ok(())
}

/// Removes index files that nobody reads: of parts that are in another file now, and of segments that are gone.
fn remove_unused_indexes(disk: &dyn Disk, used: &HashSet<String>) {
    let names = disk.list().unwrap_or_default();
    for name in names.iter().filter(|name| index_of(name).is_some() && !used.contains(*name)) {
        // In nobody's way: the next opening tries again.
        let _ = disk.remove(name);
    }
}

fn resolve_strict_names(options: &Options, records: &Records) -> Result<bool, OpenError> {
    let stored = records.get(&(Arc::from(OWN_NAMESPACE), Arc::from(STRICT_NAMES)));
    let stored = stored.is_some_and(|value| value.as_ref() == [1]);
    match options.strict_names {
        Some(requested) if requested != stored => Err(OpenError::SettingConflict {
            setting: STRICT_NAMES,
            stored: stored.to_string(),
            requested: requested.to_string(),
        }),
        _ => Ok(stored),
    }
}

/// Makes the first segment, settings included, whole or not at all.
fn create_store(disk: &dyn Disk, options: &Options) -> Result<(), OpenError> {
    let store_id = disk.random();
    let header = new_header(disk, store_id, 1, options.segment_bytes_first);
    let mut context = Context {
        place: Place::start_of(1),
        salt: header.salt,
        sequence: 0,
        // No transaction has been recorded: one of any time may follow, imports of history among them.
        recorded_at: Timestamp::MIN,
        epoch: 1,
        mark: Place::start_of(1),
        link: 0,
    };
    let unfit = |_| OpenError::InvalidOption { option: "strict_names", value: String::new(), rule: "fits a frame" };
    let (mut frames, mut frame) = (Vec::new(), Vec::new());
    context.link = encode::bookkeeping(&mut frame, &context, Kind::Opening, &0_u64.to_le_bytes()).map_err(unfit)?;
    push_padded(&mut frames, &frame);
    context.place.offset += frames.len() as u64;
    let strict = u8::from(options.strict_names.unwrap_or(false));
    let records = [SystemRecord::set(OWN_NAMESPACE, STRICT_NAMES, vec![strict])];
    let source = TransactionSource { id: None, attributes: &Attributes::new(), records: &records };
    encode::transaction(&mut frame, &context, source, std::iter::empty::<EventSource<'_>>()).map_err(unfit)?;
    push_padded(&mut frames, &frame);
    create_segment(disk, &header, super::rotate::writing(options.durability), &frames)
        .map_err(|not_made| not_made.failure)?;
    Ok(())
}

fn push_padded(frames: &mut Vec<u8>, frame: &[u8]) {
    frames.extend_from_slice(frame);
    frames.resize(usize::try_from(aligned(frames.len() as u64)).unwrap_or(frames.len()), 0);
}

/// What the writer of a log of so many events knows of names: of none at all, everything.
fn knowing_nothing(store_id: &[u8; 16], options: &Options, events: u64) -> WriterCache {
    WriterCache::new(hash_seed(store_id), options.known_streams, events == 0)
}

fn guard() -> Result<ForkGuard, IoFailure> {
    ForkGuard::new().map_err(|error| IoFailure::new("map a page for", "the process", error))
}

fn assemble(
    disk: Arc<dyn Disk>,
    options: &Options,
    strict_names: bool,
    builder: Built,
    reading: &Reading,
) -> Result<Engine, OpenError> {
    let segments = live_segments(builder.segments, reading);
    let (Some(last), Some(end)) = (segments.last(), reading.segments.last()) else {
        return Err(OpenError::NotFound { path: disk.path().to_owned() });
    };
    let store_id = last.header.store_id;
    let chain = reading.chain;
    let known = knowing_nothing(&store_id, options, chain.sequence);
    let mut seat = Seat::new(Arc::clone(last), end.end, &chain, known);
    let place = seat.place();
    if reading.tail == Tail::Closed {
        seat.closed_at = Some(place);
    }
    // Repair has synced what the log did not prove to be durable; reading alone repairs nothing, and then nothing is known.
    let proven = options.mode != OpenMode::ReadOnly || reading.tail == Tail::Closed;
    let durable = if proven { (place, chain.sequence) } else { (Place { segment: 0, offset: 0 }, 0) };
    let first = builder.first_recorded_at.map_or_else(OnceLock::new, OnceLock::from);
    Ok(Engine {
        #[cfg(feature = "testing")]
        found: reading.tail.clone(),
        settings: Settings {
            durability: options.durability,
            limits: options.limits.held(),
            clock: Arc::clone(&options.clock),
            append_deadline: options.append_deadline,
            verify_reads: options.verify_reads,
            strict_names,
            read_only: options.mode == OpenMode::ReadOnly,
            segment_bytes_first: options.segment_bytes_first,
            segment_bytes_max: options.segment_bytes_max,
            part_bytes: (options.segment_bytes_max / PARTS_A_SEGMENT).min(PART_BYTES),
        },
        disk,
        store_id,
        seed: IdSeed::of(&store_id),
        horizon: Horizon::new(segments, place, chain.sequence),
        watch: Watch::default(),
        durable: CachePadded::new(Mark::new(durable.0.pack())),
        durable_revision: Mark::new(durable.1),
        seat: Mutex::new(seat),
        known_bytes: AtomicU64::default(),
        misses: AtomicU64::default(),
        searched_in_vain: AtomicU64::default(),
        in_flight: InFlight::default(),
        commit: Commit::default(),
        deferred: Deferred::new(durable.0.pack(), options.deferred_bytes, options.append_deadline, guard()?),
        syncing: Mutex::new(()),
        warming: Mutex::new(()),
        prepared: Mutex::new(Slot::new(place.segment)),
        indexing: Mutex::new(None),
        listing: Mutex::new(()),
        hash_seed: hash_seed(&store_id),
        chores: Chores::default(),
        records: RwLock::new(builder.records),
        closed: AtomicBool::new(false),
        ended: Mutex::new(false),
        fork: guard()?,
        lock: Mutex::new(None),
        first_recorded_at: first,
        last_recorded_at: Mutex::new(builder.first_recorded_at.map(|_| chain.recorded_at)),
    })
}

/// The parts of the log as they were read, up to where it ends. The last one is there to be added to.
fn live_segments(parts: Vec<LiveSegment>, reading: &Reading) -> Vec<Arc<LiveSegment>> {
    let mut live: Vec<Arc<LiveSegment>> = parts.into_iter().map(Arc::new).collect();
    let Some(end) = reading.segments.last() else { return live };
    if let Some(last) = live.last().filter(|last| last.index().hot().is_none()) {
        let start = Start { offset: end.end, previous_end: 0, chain: reading.chain };
        let (file, region) = (Arc::clone(&last.file), Arc::clone(&last.region));
        live.push(Arc::new(LiveSegment::empty(last.header.clone(), file, region, start, 0)));
    }
    for recovered in &reading.segments {
        let parts = live.iter().filter(|part| part.header.number == recovered.header.number);
        parts.for_each(|part| part.region.publish(recovered.end));
    }
    for (part, next) in live.iter().zip(live.iter().skip(1)) {
        let of_segment = reading.segments.iter().find(|known| known.header.number == part.header.number);
        let same = part.header.number == next.header.number;
        let end = if same { Some(next.start.offset) } else { of_segment.map(|known| known.end) };
        if let Some(end) = end {
            let _ = part.sealed_end.set(end);
        }
    }
    let last = live.last().map_or(0, |last| last.header.number);
    live.iter().filter(|part| part.header.number < last).for_each(|part| part.let_go());
    live
}

impl Engine {
    /// Makes everything durable, says so in a last frame, and ends the store. Who calls it while another does waits for that one.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when it cannot be made durable: the store is closed all the same. [`AppendError::TimedOut`] when
    /// an appender would not leave the seat, and [`AppendError::CalledFromCondition`]: the store stays open then. Also when a
    /// leader would not end: nothing is taken any more then, but the store stays locked, because it may yet write; closing may be
    /// tried again. [`AppendError::Forked`] in a fork, where the store is its parent's.
    pub(crate) fn close(&self) -> Result<(), AppendError> {
        if reentry::is_judging() {
            return Err(AppendError::CalledFromCondition);
        }
        if self.fork.is_fork() {
            // Threads that the fork does not have may hold any lock here, for ever.
            self.closed.store(true, Ordering::Release);
            if let Some(mut lock) = self.lock.try_lock() {
                *lock = None;
            }
            return Err(AppendError::Forked);
        }
        let begun = Instant::now();
        let ended = self.ended.try_lock_for(self.settings.append_deadline);
        let mut ended = ended.ok_or_else(|| AppendError::TimedOut { waited: begun.elapsed() })?;
        if *ended {
            return Ok(());
        }
        let sealed = if self.settings.read_only { Ok(()) } else { self.end() };
        if matches!(sealed, Err(AppendError::TimedOut { .. })) {
            return sealed;
        }
        self.closed.store(true, Ordering::Release);
        self.watch.tell();
        self.commit.gathering.wake_all();
        let dropped = self.drop_prepared();
        if sealed.is_ok() && dropped.is_ok() && !self.settings.read_only {
            self.leave_hints();
        }
        // A leader may still be writing if the store was poisoned from elsewhere: nobody else may open it before that has ended.
        let begun = Instant::now();
        while self.commit.gathering.is_led() {
            if begun.elapsed() > self.settings.append_deadline {
                return Err(AppendError::TimedOut { waited: begun.elapsed() });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // So may housekeeping, to an index file: nobody else's may be in its way.
        let indexing = self.indexing.try_lock_for(self.settings.append_deadline);
        let mut indexing = indexing.ok_or_else(|| AppendError::TimedOut { waited: begun.elapsed() })?;
        *indexing = None;
        // And to pages ahead of the writer: whoever opens the store next may store into them, and its zeros would come later.
        let warming = self.warming.try_lock_for(self.settings.append_deadline);
        let _warming = warming.ok_or_else(|| AppendError::TimedOut { waited: begun.elapsed() })?;
        *self.lock.lock() = None;
        *ended = true;
        self.deferred.run_rest();
        sealed.and(dropped)
    }

    /// Leaves what makes the next opening quick: the index of the last frames, if they are many, and where the log ends.
    fn leave_hints(&self) {
        // Appenders that have waited for it take the seat only to learn that the store is closed.
        let Some(mut seat) = self.seat.try_lock_for(self.settings.append_deadline) else { return };
        if seat.end - seat.segment.start.offset > self.settings.part_bytes / 16 {
            self.split(&mut seat);
        }
        // Without an index the next opening reads the frames.
        while matches!(self.index_next(true, &|| ()), Ok(Indexed::One)) {}
        let chain = seat.chain(seat.place());
        Closing::of(&seat.segment.header, seat.place(), &chain).write(&*self.disk);
    }

    fn end(&self) -> Result<(), AppendError> {
        let mut seat = match self.take_seat() {
            Ok(seat) => seat,
            // It was sealed when closing was tried before.
            Err(AppendError::Closed) => {
                let poisoned = |cause| Err(AppendError::Poisoned { cause: Arc::clone(cause), unknown: false });
                return self.poison().map_or(Ok(()), poisoned);
            }
            Err(error) => return Err(error),
        };
        let sealed = self.seal(&mut seat);
        if !matches!(sealed, Err(AppendError::TimedOut { .. })) {
            // In the seat still: whoever takes it next finds the store closed, and nothing is written behind the last frame.
            self.closed.store(true, Ordering::Release);
            // What came into the queue since the seat was taken comes too late.
            self.deferred.shut(&AppendError::Closed);
        }
        sealed
    }

    /// Puts the closing frame behind everything, durable as all before it.
    fn seal(&self, seat: &mut Seat) -> Result<(), AppendError> {
        self.check_lock()?;
        // Everything before the last frame is durable before that frame is written: it says so, and a crash between the two, or a
        // sync that fails now, then loses that frame alone.
        if self.is_sync() {
            self.flush_staged(seat)?;
            self.sync_watermark(seat)?;
        } else {
            self.sync_visible()?;
        }
        if seat.closed_at == Some(seat.place()) {
            return Ok(());
        }
        let recorded_at = seat.recorded_at;
        self.put_bookkeeping(seat, Kind::Close, recorded_at)?;
        self.sync_segment(&seat.segment)?;
        self.set_durable(seat.place(), seat.sequence);
        self.tell_durable();
        Ok(())
    }
}

//! Subscriptions: the events there are, and then those that come, in one loop over how far the log goes.
//!
//! A subscription is a number: that of the next event to be looked at. It asks how far the log goes, scans from its number up to
//! there, gives what it found, and asks again. Only when there is nothing new does it wait. What was there before and what comes
//! later take the same way, so there is no moment between the two at which an event could be missed or come twice.

mod cancellation;
mod lull;
#[cfg(test)]
mod tests;

pub use cancellation::Cancellation;

use crate::adapters::{EventCursor, StorageAdapter};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::select_query::{Access, SelectQuery};
use crate::vocabulary::selector::Selector;
use lull::Lull;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many sequence numbers one scan goes over at most. After each the place has moved on, whatever was found, and deadlines and
/// cancellation are looked at.
const WINDOW: u64 = 1 << 16;

/// Up to how many new events are looked at one by one for a selector. Asking an index about so few takes longer.
const FEW: u64 = 256;

/// The events of a log, category, stream or selector: those there are, and then those that come, each once, in order, whole
/// transactions only.
///
/// It begins with the first event, unless [`from`](Self::from), [`after`](Self::after) or [`only_new`](Self::only_new) say
/// otherwise. As an iterator it waits for the next event as long as it takes; [`next_within`](Self::next_within) waits for so
/// long at most, and [`try_next`](Self::try_next) not at all. It holds some hundred events in memory at most, and no more of the
/// log than a scan does.
///
/// # Going on later
///
/// [`checkpoint`](Self::checkpoint) is the number to go on from: what is kept of it, together with what came of the events, makes
/// each count once through restarts. It moves on over events that are not meant, too, so that nobody looks at them again.
///
/// # How it ends
///
/// Once [called off](Self::cancellation) it gives nothing more: the iterator ends, and the others give [`ReadError::Cancelled`].
/// When the store is closed it gives everything that was visible, and then [`ReadError::Closed`]; when the store is poisoned, the
/// same and [`ReadError::Poisoned`]. Any error ends it: the iterator gives it once, the others from then on. Like a handle it
/// keeps the store open: one that waits in a thread of its own has to be called off, or the store closed.
///
/// # What it costs others
///
/// One that is up to date sleeps, and costs an append a fence and a load, or waking it. One that is woken and finds nothing that
/// it wants stays away for 100 µs, then longer, up to 4 ms, before it lets itself be woken again. So much later, at most, does it
/// get an event that stands behind many others, and so little do those pay for it.
///
/// ```
/// use std::time::Duration;
/// use stratalog::{EventStore, NewEvent, SequenceNumber};
/// # fn main() -> stratalog::Result<()> {
/// let store = EventStore::in_memory();
/// store.stream("accounts", "acc-42").publish([NewEvent::empty("account-opened")])?;
///
/// let mut accounts = store.category("accounts").subscribe();
/// let writer = store.clone();
/// let thread = std::thread::spawn(move || writer.stream("accounts", "acc-43").publish([NewEvent::empty("account-opened")]));
/// for expected in ["acc-42", "acc-43"] {
///     let event = accounts.next_within(Duration::from_secs(60))?;
///     assert_eq!(event.map(|event| event.stream().to_owned()).as_deref(), Some(expected));
/// }
///
/// store.stream("orders", "1").publish([NewEvent::empty("order-placed")])?;
/// assert!(accounts.try_next()?.is_none());
/// assert_eq!(accounts.checkpoint(), SequenceNumber::new(3), "the order need not be looked at again");
/// # thread.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a subscription reads nothing until it is asked for events"]
pub struct Subscription {
    adapter: Arc<dyn StorageAdapter>,
    wanted: Wanted,
    cancellation: Cancellation,
    /// The number of the next event to be read: all that are wanted below it were given, or are in `batch`.
    next: u64,
    batch: std::vec::IntoIter<StoredEvent>,
    window: Option<Window>,
    /// Why no more can be read: told behind the batch.
    failed: Option<ReadError>,
    ended: Option<ReadError>,
    lull: Lull,
}

/// Which events.
#[derive(Debug)]
pub(super) enum Wanted {
    Of(Identifier),
    Selected(Selector),
}

/// A scan of a piece of the log.
struct Window {
    cursor: Box<dyn EventCursor>,
    /// Where it ends; `None` for the rest of a closed store, whose cursor gives every event up to the last.
    end: Option<u64>,
    found: bool,
}

impl Subscription {
    pub(super) fn new(adapter: Arc<dyn StorageAdapter>, wanted: Wanted) -> Self {
        Self {
            cancellation: Cancellation::new(&adapter),
            adapter,
            wanted,
            next: 0,
            batch: Vec::new().into_iter(),
            window: None,
            failed: None,
            ended: None,
            lull: Lull::default(),
        }
    }

    /// Goes on from this event, or from where it will be: for a kept [`checkpoint`](Self::checkpoint).
    pub fn from(self, number: SequenceNumber) -> Self {
        self.beginning_at(number.get())
    }

    /// Goes on after this event: for who has kept the number of the last one seen.
    #[doc(alias = "sequence_number_after")]
    pub fn after(self, number: SequenceNumber) -> Self {
        self.beginning_at(number.get().saturating_add(1))
    }

    /// Only events that become visible from now on.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub fn only_new(self) -> Result<Self, ReadError> {
        let now = self.adapter.revision()?;
        Ok(self.beginning_at(now.get()))
    }

    fn beginning_at(mut self, next: u64) -> Self {
        (self.next, self.batch, self.window) = (next, Vec::new().into_iter(), None);
        (self.failed, self.ended, self.lull) = (None, None, Lull::default());
        self
    }

    /// The number to go on from: every event below it that is meant was given, and no other.
    #[must_use]
    pub fn checkpoint(&self) -> SequenceNumber {
        self.batch.as_slice().first().map_or(SequenceNumber::new(self.next), StoredEvent::sequence_number)
    }

    /// What calls this subscription off, from any thread.
    #[must_use]
    pub fn cancellation(&self) -> Cancellation {
        self.cancellation.clone()
    }

    /// The next event, if it is there. Never waits for one, and looks at all there is for it.
    ///
    /// # Errors
    /// [`ReadError::Cancelled`], [`ReadError::Closed`] and [`ReadError::Poisoned`] as told [above](Self#how-it-ends);
    /// [`ReadError::Corrupt`] when the next event is damaged; else as every [`ReadError`].
    pub fn try_next(&mut self) -> Result<Option<StoredEvent>, ReadError> {
        loop {
            if let Some(event) = self.give()? {
                return Ok(Some(event));
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// The next event, waiting for `timeout` at most; `None` when nothing came in time.
    ///
    /// A timeout of zero does not wait. Where much is to be looked at that is not meant, it looks at some 65,000 events and then
    /// at the clock; the place has moved on then.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    pub fn next_within(&mut self, timeout: Duration) -> Result<Option<StoredEvent>, ReadError> {
        let mut begun = None;
        loop {
            if let Some(event) = self.give()? {
                return Ok(Some(event));
            }
            let begun = *begun.get_or_insert_with(Instant::now);
            let moved = self.advance()?;
            if !self.batch.as_slice().is_empty() || self.failed.is_some() {
                continue;
            }
            let rest = timeout.saturating_sub(begun.elapsed());
            if rest.is_zero() {
                return Ok(None);
            }
            if !moved {
                self.wait(rest)?;
            }
        }
    }

    /// The next event of those that were read.
    fn give(&mut self) -> Result<Option<StoredEvent>, ReadError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        if self.cancellation.is_cancelled() {
            return Err(ReadError::Cancelled);
        }
        if let Some(event) = self.batch.next() {
            self.lull.gave();
            return Ok(Some(event));
        }
        self.failed.take().map_or(Ok(None), |error| self.end(error))
    }

    /// Reads on, once the batch was given. Says whether there was anything to look at.
    fn advance(&mut self) -> Result<bool, ReadError> {
        let window = match self.window.take() {
            Some(window) => Some(window),
            None => self.open()?,
        };
        let Some(mut window) = window else { return Ok(false) };
        let mut batch = Vec::new();
        let outcome = window.cursor.next_batch(&mut batch);
        if let Some(last) = batch.last() {
            self.next = last.sequence_number().get() + 1;
        }
        let is_over = batch.is_empty();
        if window.end.is_none() {
            batch.retain(|event| self.wanted.includes(event));
        }
        match (outcome, window.end) {
            // It was closed meanwhile, and the adapter's cursors end with that. The rest is read in another way.
            (Err(ReadError::Closed), Some(_)) => {}
            (Err(error), _) => self.failed = Some(error),
            (Ok(()), Some(end)) if is_over => {
                self.next = end;
                if !window.found {
                    self.lull.looked_in_vain();
                }
            }
            (Ok(()), Some(end)) => {
                window.found = true;
                self.window = (self.next < end).then_some(window);
            }
            (Ok(()), None) if is_over => self.failed = Some(ReadError::Closed),
            (Ok(()), None) => self.window = Some(window),
        }
        self.batch = batch.into_iter();
        Ok(true)
    }

    /// The next piece of the log, if it has grown.
    fn open(&mut self) -> Result<Option<Window>, ReadError> {
        let window = match self.adapter.wait_revision(self.awaited(), Duration::ZERO) {
            Ok(at) => self.window_until(at.get().min(self.next.saturating_add(WINDOW))),
            Err(error) => Err(error),
        };
        let window = match window {
            Err(ReadError::Closed) => self.rest(),
            window => window,
        };
        match window {
            Ok(window) => Ok(Some(window)),
            Err(ReadError::NotReached { .. }) => Ok(None),
            Err(error) => self.end(error),
        }
    }

    /// A scan up to `end`, which the log has reached.
    fn window_until(&self, end: u64) -> Result<Window, ReadError> {
        let from = Some(SequenceNumber::new(self.next));
        let until = end.checked_sub(1).map(SequenceNumber::new);
        let cursor = match &self.wanted {
            Wanted::Of(target) => self.adapter.scan(&ScanQuery { from, until, ..ScanQuery::new(target.clone()) })?,
            Wanted::Selected(selector) => {
                let access = if end - self.next <= FEW { Access::Scan } else { Access::Best };
                self.adapter.select(&SelectQuery { from, until, access, ..SelectQuery::new(selector.clone()) })?
            }
        };
        Ok(Window { cursor, end: Some(end), found: false })
    }

    /// What a closed store has from here on: all of the log, from which what is wanted is picked.
    fn rest(&self) -> Result<Window, ReadError> {
        let query = ScanQuery { from: Some(SequenceNumber::new(self.next)), ..ScanQuery::default() };
        Ok(Window { cursor: self.adapter.scan_even_closed(&query)?, end: None, found: false })
    }

    /// Waits until the log has grown, or stays away for a while first where that was in vain.
    fn wait(&mut self, most: Duration) -> Result<(), ReadError> {
        if let Some(away) = self.lull.next() {
            std::thread::sleep(away.min(most));
            return Ok(());
        }
        let outcome = self.adapter.wait_unless(self.awaited(), most, &|| self.cancellation.is_cancelled());
        match outcome {
            // The next look tells.
            Ok(_) | Err(ReadError::NotReached { .. } | ReadError::Cancelled | ReadError::Closed) => Ok(()),
            Err(error) => self.end(error),
        }
    }

    /// The revision at which there is a next event to look at.
    fn awaited(&self) -> Revision {
        Revision::new(self.next.saturating_add(1))
    }

    fn end<T>(&mut self, error: ReadError) -> Result<T, ReadError> {
        self.window = None;
        self.ended = Some(error.clone());
        Err(error)
    }
}

impl Wanted {
    fn includes(&self, event: &StoredEvent) -> bool {
        match self {
            Self::Of(Identifier::Log(_)) => true,
            Self::Of(Identifier::Category(category)) => event.category() == category.category(),
            Self::Of(Identifier::Stream(stream)) => {
                event.category() == stream.category() && event.stream() == stream.stream()
            }
            Self::Selected(selector) => selector.matches(event),
        }
    }
}

/// Waits for each event as long as it takes. Ends when it is called off, and after the first error.
impl Iterator for Subscription {
    type Item = Result<StoredEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended.is_some() {
            return None;
        }
        match self.next_within(Duration::MAX) {
            Ok(event) => event.map(Ok),
            Err(ReadError::Cancelled) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl std::iter::FusedIterator for Subscription {}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("wanted", &self.wanted)
            .field("checkpoint", &self.checkpoint())
            .field("is_cancelled", &self.cancellation.is_cancelled())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

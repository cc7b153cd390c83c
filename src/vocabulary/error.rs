//! Errors: one enum an operation, each variant with its values, and one umbrella that all convert into.

pub use super::limit::{LimitExceeded, LimitedThing};

use super::append_condition::{AppendConditionError, UnmetAppendCondition};
use super::cloud_event::{CloudEventError, InvalidBatch, InvalidSource};
use super::condition::UnmetCondition;
use super::database_error::DatabaseError;
use super::database_event::NoCloudEvent;
use super::event::EventId;
use super::function_error::{CommandParseError, ExecuteError, RegisterError, ViewError};
use super::number::{Revision, SequenceNumber};
use super::payload::PayloadError;
use super::selector::{BindError, SelectorError};
use super::time::InvalidTime;
use super::transaction::Receipt;
use super::transaction_error::{Listed, TransactionError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A `Result` with the umbrella [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whether trying again is safe, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Nothing was written, and the same call may succeed later.
    Safe,
    /// Nothing was written. Read again and decide anew: the same call would fail the same way as long as the log is as it is.
    AfterReading,
    /// It may or may not have been written. Safe only under a transaction id, which settles it; else read first.
    WithTransactionId,
    /// Nothing was written, and the store must be reopened before anything can be.
    AfterReopen,
    /// Nothing was written, and the same call can never succeed.
    Never,
}

/// Where bytes are not what they must be. Never repaired in silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("corrupt: segment {segment}, offset {offset}: {what}")]
#[non_exhaustive]
pub struct Corruption {
    /// The number of the segment.
    pub segment: u64,
    /// The offset in bytes within the segment's file.
    pub offset: u64,
    /// What was found there, and what was expected.
    pub what: String,
}

/// A failed call to the operating system: what was being done to which file.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing} {}: {source}", path.display())]
#[non_exhaustive]
pub struct IoFailure {
    /// What was being done, such as `sync`.
    pub doing: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The system's error.
    pub source: Arc<io::Error>,
}

impl IoFailure {
    pub(crate) fn new(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { doing, path: path.into(), source: Arc::new(source) }
    }

    /// Whether the cause is a full disk or quota.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Why an append failed. [`AppendError::retry`] says what a retry takes.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A condition does not hold.
    #[error(transparent)]
    Unmet(Box<UnmetCondition>),
    /// Conditions on the log do not hold: every one of them, in their order.
    #[error("{}", Listed(.0))]
    UnmetConditions(Vec<UnmetAppendCondition>),
    /// An event has, in its category, the id of another one: of this transaction, or of one that is there.
    #[error("the category {category:?} has an event with the id {id} already{}", at_revision(*revision))]
    DuplicateEventId {
        /// The category.
        category: Arc<str>,
        /// The id.
        id: EventId,
        /// The revision of the event that is there; none where both are of this transaction.
        revision: Option<Revision>,
    },
    /// A custom condition panicked. This append is refused; the store stays usable.
    #[error("the condition {condition:?} panicked: {message}")]
    ConditionPanicked {
        /// The condition's name.
        condition: Arc<str>,
        /// The panic's message.
        message: String,
    },
    /// The store was called from inside a custom condition.
    #[error("the store was called from inside a condition")]
    CalledFromCondition,
    /// The transaction id is taken by a transaction with other content.
    #[error("transaction {id:?} is there already with other content, at revision {}", first.revision())]
    DuplicateTransaction {
        /// The id.
        id: Arc<str>,
        /// The receipt of the transaction that has it.
        first: Box<Receipt>,
    },
    /// A limit is exceeded.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// A name is outside the rules of a store with strict names.
    #[error("the {what} {name:?} is outside the rules of strict names: {rule}")]
    InvalidName {
        /// What it names: category, stream, event, event id or attribute.
        what: &'static str,
        /// The name.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A system record uses a namespace that is the store's own.
    #[error("the namespace {namespace:?} is the store's own")]
    ReservedNamespace {
        /// The namespace.
        namespace: Arc<str>,
    },
    /// Stored transactions that do not continue the log exactly.
    #[error("the transaction does not continue the log: {what}: expected {expected}, found {actual}")]
    NotContiguous {
        /// What does not fit.
        what: &'static str,
        /// What the log needs.
        expected: String,
        /// What was given.
        actual: String,
    },
    /// The adapter or its layout cannot hold this.
    #[error("{layout} cannot hold {feature}")]
    Unsupported {
        /// What cannot be held.
        feature: &'static str,
        /// Who cannot hold it.
        layout: &'static str,
    },
    /// The disk is full. Nothing was written; the store stays usable.
    #[error("no space left: {0}")]
    NoSpace(IoFailure),
    /// An operation failed before anything was written; the store stays usable.
    #[error("nothing was appended: {0}")]
    Io(IoFailure),
    /// A write or sync failed, now or earlier: the store takes no more appends until it is reopened.
    #[error("the store refuses appends until it is reopened, because of an earlier failure: {cause}")]
    Poisoned {
        /// The first failure.
        cause: Arc<str>,
        /// Whether this very append may have been written.
        unknown: bool,
    },
    /// The deadline passed. The append may or may not become part of the log.
    #[error("not settled within {waited:?}: the append may or may not happen")]
    Unknown {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The deadline passed before the append began. Nothing was written.
    #[error("the writer's seat was not free within {waited:?}")]
    TimedOut {
        /// How long it was waited for.
        waited: Duration,
    },
    /// As much is deferred and not durable as [`Options::deferred_bytes`](crate::Options::deferred_bytes) allows. Nothing was
    /// written; there is room again once some of it is durable.
    #[error("{asked} bytes to defer, and {in_flight} of {budget} are in flight")]
    Full {
        /// How much this append takes.
        asked: u64,
        /// How much is deferred and not durable.
        in_flight: u64,
        /// How much may be.
        budget: u64,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The store is open for reading alone.
    #[error("the store is open for reading alone")]
    ReadOnly,
    /// The handle was carried into another process by `fork`.
    #[error("the store was opened by another process, of which this one is a fork")]
    Forked,
    /// What was read to judge a condition is corrupt.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
}

impl AppendError {
    /// Whether a retry is safe.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unmet(_) | Self::UnmetConditions(_) | Self::NotContiguous { .. } => Retry::AfterReading,
            Self::NoSpace(_) | Self::Io(_) | Self::TimedOut { .. } | Self::Full { .. } => Retry::Safe,
            Self::Unknown { .. } | Self::Poisoned { unknown: true, .. } => Retry::WithTransactionId,
            Self::Poisoned { unknown: false, .. } | Self::Closed | Self::Forked | Self::ReadOnly => Retry::AfterReopen,
            Self::ConditionPanicked { .. }
            | Self::CalledFromCondition
            | Self::DuplicateTransaction { .. }
            | Self::DuplicateEventId { .. }
            | Self::Limit(_)
            | Self::InvalidName { .. }
            | Self::ReservedNamespace { .. }
            | Self::Unsupported { .. }
            | Self::Corrupt(_) => Retry::Never,
        }
    }

    /// Whether another appender was faster: a condition no longer holds.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Unmet(_) | Self::UnmetConditions(_))
    }

    /// Whether the append may have happened.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.retry() == Retry::WithTransactionId
    }

    /// Whether the store takes no more appends until it is reopened.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        matches!(self, Self::Poisoned { .. })
    }
}

impl From<UnmetCondition> for AppendError {
    fn from(unmet: UnmetCondition) -> Self {
        Self::Unmet(Box::new(unmet))
    }
}

/// Where an event is that is there already.
fn at_revision(revision: Option<Revision>) -> String {
    revision.map(|revision| format!(", at revision {revision}")).unwrap_or_default()
}

/// Why a read failed. Reading again is always safe.
///
/// Every read may fail with `Closed`, and from inside a custom condition with `CalledFromCondition`; one that looks at events may
/// fail with `Corrupt` or `Io` too. The others are of the calls that name them.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Bytes are not what they must be.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The system failed to read.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// The store was called from inside a custom condition.
    #[error("the store was called from inside a condition")]
    CalledFromCondition,
    /// A revision that the log has not reached.
    #[error("the log is at revision {at}, not yet at {wanted}")]
    NotReached {
        /// Where the log is.
        at: Revision,
        /// What was asked for.
        wanted: Revision,
    },
    /// A selector is beyond its limits.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// A bound on positions on a scan of more than one stream.
    #[error("positions bound a scan of one stream only, not of the {target}")]
    PositionsNeedStream {
        /// What was to be scanned.
        target: String,
    },
    /// The adapter cannot do this.
    #[error("{layout} cannot do {feature}")]
    Unsupported {
        /// What cannot be done.
        feature: &'static str,
        /// Who cannot do it.
        layout: &'static str,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// Waiting for more events was called off, as [`Cancellation::cancel`](crate::Cancellation::cancel) does.
    #[error("waiting for more events was called off")]
    Cancelled,
    /// The store refuses appends, and what was waited for will not come.
    #[error("waited for revision {wanted}, which will not come: {cause}")]
    Poisoned {
        /// What was waited for.
        wanted: Revision,
        /// The first failure.
        cause: Arc<str>,
    },
    /// What was waited for did not come in time.
    #[error("revision {wanted} was not durable within {waited:?}")]
    TimedOut {
        /// What was waited for.
        wanted: Revision,
        /// For how long.
        waited: Duration,
    },
}

impl ReadError {
    /// Whether reading again can succeed, and what it takes.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Corrupt(_)
            | Self::Unsupported { .. }
            | Self::PositionsNeedStream { .. }
            | Self::Limit(_)
            | Self::CalledFromCondition => Retry::Never,
            Self::Closed | Self::Poisoned { .. } => Retry::AfterReopen,
            Self::Io(_) | Self::Cancelled | Self::NotReached { .. } | Self::TimedOut { .. } => Retry::Safe,
        }
    }
}

/// Why a store could not be opened. Nothing was changed, unless the error says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has the store open.
    #[error("{} is already open{}", path.display(), by(*process))]
    AlreadyOpen {
        /// The store's directory.
        path: PathBuf,
        /// The process that has it open, as far as it is known.
        process: Option<u32>,
    },
    /// There is no store there.
    #[error("no store at {}", path.display())]
    NotFound {
        /// The directory.
        path: PathBuf,
    },
    /// There is a store there already.
    #[error("a store exists already at {}", path.display())]
    AlreadyExists {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds something else than a store.
    #[error("{} is not a store: it holds {found:?}", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// A file that no store has.
        found: String,
    },
    /// The store was written by a newer version with features that this one does not know.
    #[error("{} has format {found}, and this version reads up to {supported} ({detail})", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u16,
        /// The newest that can be read.
        supported: u16,
        /// Which feature bits are unknown.
        detail: String,
    },
    /// A setting differs from the one kept with the store.
    #[error("the store was made with {setting} = {stored}, and is to be opened with {requested}")]
    SettingConflict {
        /// The setting.
        setting: &'static str,
        /// What is kept.
        stored: String,
        /// What was asked for.
        requested: String,
    },
    /// An option has a value that cannot be.
    #[error("the option {option} cannot be {value}: {rule}")]
    InvalidOption {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// Bytes are not what they must be, and a crash cannot explain it.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The directory is on a network file system, whose locks and syncs may not hold.
    #[error("{} is on a network file system ({kind})", path.display())]
    NetworkFileSystem {
        /// The directory.
        path: PathBuf,
        /// Which kind.
        kind: &'static str,
    },
    /// The system failed.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

fn by(process: Option<u32>) -> String {
    process.map(|id| format!(" by process {id}")).unwrap_or_default()
}

/// Why a projection failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// No handler for an event of this name.
    #[error("missing handler for event: {name} (sequence number {sequence_number})")]
    MissingHandler {
        /// The event's name.
        name: String,
        /// The event's place in the log.
        sequence_number: SequenceNumber,
    },
    /// The event's payload is not what the handler takes.
    #[error("event {name} (sequence number {sequence_number}): {source}")]
    Payload {
        /// The event's name.
        name: String,
        /// The event's place in the log.
        sequence_number: SequenceNumber,
        /// What is wrong with it.
        source: PayloadError,
    },
    /// A handler refused the event.
    #[error("the handler of event {name} (sequence number {sequence_number}) failed: {reason}")]
    Handler {
        /// The event's name.
        name: String,
        /// The event's place in the log.
        sequence_number: SequenceNumber,
        /// In its own words.
        reason: String,
    },
    /// An upcaster refused the event's payload.
    #[error(
        "the upcaster of event {name} (sequence number {sequence_number}) from schema version {schema_version} failed: {reason}"
    )]
    Upcaster {
        /// The event's name.
        name: String,
        /// The event's place in the log.
        sequence_number: SequenceNumber,
        /// The schema version that the upcaster takes.
        schema_version: u32,
        /// In its own words.
        reason: String,
    },
    /// The events could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Any error of the store: every operation's own converts into it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An append failed.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Opening failed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A payload could not be written or read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A projection failed.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// A time is none.
    #[error(transparent)]
    Time(#[from] InvalidTime),
    /// A selector is none, or too big.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// A selector's parameters cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// An append condition is none.
    #[error(transparent)]
    AppendCondition(#[from] AppendConditionError),
    /// A transaction was refused by a database.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A database refused, or could not be had.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A state view could not be rendered.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A state change was not carried out.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A state view or state change could not be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// A command could not be read.
    #[error(transparent)]
    Command(#[from] CommandParseError),
    /// Something is no CloudEvent.
    #[error(transparent)]
    CloudEvent(#[from] CloudEventError),
    /// Some events of a batch are no CloudEvents.
    #[error(transparent)]
    Batch(#[from] InvalidBatch),
    /// An event cannot be said as a CloudEvent.
    #[error(transparent)]
    NoCloudEvent(#[from] NoCloudEvent),
    /// A text is no source of events.
    #[error(transparent)]
    Source(#[from] InvalidSource),
}

impl Error {
    /// Whether another appender was faster: a condition no longer holds.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Append(error) if error.is_conflict())
            || matches!(self, Self::Transaction(TransactionError::UnmetConditions(_)))
            || matches!(self, Self::Database(error) if error.is_conflict())
            || matches!(self, Self::Execute(error) if error.is_conflict())
    }

    /// Whether an append may or may not have happened.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Append(error) if error.is_unknown())
            || matches!(self, Self::Database(error) if error.is_unknown())
            || matches!(self, Self::Execute(ExecuteError::Database(error)) if error.is_unknown())
    }

    /// Whether the store takes no more appends until it is reopened.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        matches!(self, Self::Append(error) if error.is_poisoned())
            || matches!(
                self,
                Self::Read(ReadError::Poisoned { .. })
                    | Self::Projection(ProjectionError::Read(ReadError::Poisoned { .. }))
            )
            || matches!(self, Self::Database(error) if error.is_poisoned())
            || matches!(self, Self::Execute(ExecuteError::Database(error)) if error.is_poisoned())
            || matches!(self, Self::View(ViewError::Database(error)) if error.is_poisoned())
    }

    /// Whether a retry is safe, and what it takes.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Append(error) => error.retry(),
            Self::Read(error) | Self::Projection(ProjectionError::Read(error)) => error.retry(),
            Self::Open(OpenError::AlreadyOpen { .. } | OpenError::Io(_)) => Retry::Safe,
            Self::Open(_)
            | Self::Payload(_)
            | Self::Projection(_)
            | Self::Time(_)
            | Self::Selector(_)
            | Self::Bind(_)
            | Self::AppendCondition(_)
            | Self::CloudEvent(_)
            | Self::Batch(_)
            | Self::NoCloudEvent(_)
            | Self::Source(_)
            | Self::Register(_)
            | Self::Command(_) => Retry::Never,
            Self::Transaction(error) => error.retry(),
            Self::Database(error) => error.retry(),
            Self::View(error) => error.retry(),
            Self::Execute(error) => error.retry(),
        }
    }
}

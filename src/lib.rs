//! Stratalog: the embeddable event store.
//!
//! An application appends events to streams under conditions, reads them in order without waiting for any writer, and folds them
//! into state. A store is a directory; there is no server and no configuration.
//!
//! ```
//! use stratalog::{position_is, stream_is_empty, EventStore, NewEvent, Projector, Result};
//!
//! # fn main() -> Result<()> {
//! let store = EventStore::in_memory(); // or on disk: EventStore::open("data/bank")?
//! let account = store.stream("accounts", "acc-42");
//! let receipt = account.publish_if([NewEvent::new("money-deposited", &500)?], stream_is_empty())?;
//! account.publish_if([NewEvent::new("money-withdrawn", &200)?], position_is(receipt.last_position()))?;
//!
//! let balance = Projector::new()
//!     .on("money-deposited", |balance: &mut i64, cents: i64| *balance += cents)
//!     .on("money-withdrawn", |balance: &mut i64, cents: i64| *balance -= cents)
//!     .project(0, account.scan())?;
//! assert_eq!(*balance.state(), 300);
//!
//! let conflict = account.publish_if([NewEvent::new("money-withdrawn", &300)?], position_is(0)).unwrap_err();
//! assert!(conflict.is_conflict());
//! # Ok(())
//! # }
//! ```
//!
//! # Where to find what
//!
//! - **Stores and handles**: [`EventStore`], and from it [`EventLog`], [`EventCategory`], [`EventStream`].
//! - **Writing**: [`NewEvent`] with its [`Payload`] and [`Attributes`]; [`transaction()`] over several streams; the [`Receipt`].
//! - **Conditions**: [`stream_is_empty`], [`stream_exists`], [`position_is`], [`Condition::custom`];
//!   [`retry_on_conflict`] decides again when another appender was faster.
//! - **Which events**: [`Selector`], by category, stream and name; [`SelectorTemplate`] with parameters; [`AppendCondition`]s
//!   say what must hold of the latest event selected ([`must_exist`], [`must_not_exist`], [`unchanged_since`], [`at_revision`]).
//! - **Reading**: [`Scan`] gives [`StoredEvent`]s to keep, or lends [`EventRef`]s that copy nothing.
//! - **Following**: a [`Subscription`] to a log, category, stream or selector gives what there is and then what comes. It
//!   waits as long as it takes, for a while, or not at all; a [`Cancellation`] calls it off.
//! - **State**: [`Projector`] from functions, [`Project`] for structs, the [`Projection`] they give, [`Upcasters`] for payloads
//!   of older schema versions.
//! - **Databases**: a [`Catalog`] of them; the live [`Database`], which takes a [`Proposal`] of [`ProspectiveEvent`]s, or says
//!   why not ([`TransactionError`]); and the [`DatabaseAt`] that it was at any time, is, or would be, whose [`Query`] gives
//!   [`Event`]s. As other systems say them: [`CloudEvent`].
//! - **State views and state changes**: [`StateView`] and [`StateChange`] for your code; [`ViewDefinition`],
//!   [`ChangeDefinition`] and [`StateChangeRequest`] to register and call it; [`DatabaseReader`], which is what it sees.
//! - **Numbers**: [`SequenceNumber`] in the log, [`Position`] in the stream, [`Revision`] for how many events there are.
//! - **Times**: [`Timestamp`], and the [`Clock`]s that tell it.
//! - **Opening**: [`Options`], [`Durability`], [`Limits`].
//! - **Errors**: one [`Error`] that every operation's own converts into; [`Error::retry`] says whether a retry is safe.
//! - **Storage of your own**: [`adapters`], with the contract [`StorageAdapter`](adapters::StorageAdapter).
//!
//! # Features
//!
//! - `testing`: builders, random data, and the conformance suite for adapters, for tests of your own.
//! - `cli`: the command line program `stratalog`.
//!
//! The README tells what durability means, what the limits and caveats are, and what each error asks of the caller.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapters;
mod disk;
mod engine;
mod format;
#[cfg(feature = "cli")]
pub mod hosts;
mod index;
mod log;
mod segment;
mod state;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod vocabulary;

pub use engine::{
    DroppedRange, Keep, KeptRange, MissingEvents, SalvageReport, Verdict, VerifyProgress, VerifyReport, Why, salvage,
    verify,
};
pub use state::{
    AnyStateChange, AnyStateView, ChangeDefinition, Command, ContentCodec, DatabaseReader, DecideFailure, DecideResult,
    Decision, EventQuery, Executed, FromCommand, Json, KeptViews, Maintenance, MessagePack, QueryRange,
    QueryTemporality, RefreshedViews, RegisteredChange, RegisteredView, RenderedView, StateChange, StateChangeMetadata,
    StateChangeRequest, StateView, ViewDefinition, ViewFold, ViewParameters, ViewState,
};
pub use state::{
    Applied, Catalog, CatalogOptions, Database, DatabaseAt, HandlerOutcome, IntoEventResult, MissingHandler, Project,
    Projection, Projector, Query, QueryIter, TransactionDetail, TransactionSummary, TypedEvent, Upcasters,
};
pub use store::{
    Cancellation, EventCategory, EventLog, EventStore, EventStream, Scan, ScanIter, Subscription, Visit,
    retry_on_conflict,
};
pub use vocabulary::append_condition::{
    AppendCondition, AppendConditionError, RevisionBounds, UnmetAppendCondition, at_revision, fail_if_events_match,
    must_exist, must_not_exist, unchanged_since,
};
pub use vocabulary::attributes::{AttributeValue, Attributes};
pub use vocabulary::cloud_event::{
    AttributeFault, CloudEvent, CloudEventError, DatabaseSource, InvalidBatch, InvalidSource,
};
pub use vocabulary::condition::{
    Condition, ExpectedPosition, IntoCondition, UnmetCondition, position_is, stream_exists, stream_is_empty,
};
pub use vocabulary::database_error::DatabaseError;
pub use vocabulary::database_event::{Event, NoCloudEvent};
pub use vocabulary::error::{
    AppendError, Corruption, Error, IoFailure, LimitExceeded, LimitedThing, OpenError, ProjectionError, ReadError,
    Result, Retry,
};
pub use vocabulary::event::{EventId, EventRef, NewEvent, StoredEvent};
pub use vocabulary::function_error::{
    CommandParseError, EvolveError, ExecuteError, RegisterError, StateChangeError, ViewError,
};
pub use vocabulary::identifier::{Category, Identifier, Log, Stream};
pub use vocabulary::number::{Position, Revision, SequenceNumber};
pub use vocabulary::options::{Durability, Limits, OpenMode, Options};
pub use vocabulary::payload::{Codec, Data, Payload, PayloadError, PayloadKind, PayloadRef};
pub use vocabulary::proposal::Proposal;
pub use vocabulary::prospective_event::{EventFault, ProspectiveEvent};
pub use vocabulary::query::ScanQuery;
pub use vocabulary::select_query::{Access, Explanation, SelectQuery};
pub use vocabulary::selector::{
    BindError, EventField, EventNames, FieldValue, Operand, Selectable, Selector, SelectorError, SelectorNode,
    SelectorTemplate, parameter,
};
pub use vocabulary::strict::InvalidName;
pub use vocabulary::ticket::{Ticket, TicketFuture};
pub use vocabulary::time::{Clock, FixedClock, InvalidTime, SteppingClock, SystemClock, Timestamp};
pub use vocabulary::transaction::{Digest, Receipt, StoredTransaction, SystemRecord, Transaction, transaction};
pub use vocabulary::transaction_error::{
    ConditionFault, InvalidCondition, InvalidEvent, TransactionError, check_proposal, judge_conditions,
};

/// Compiles and runs the README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

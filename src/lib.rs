//! Stratalog: the embeddable event store.

pub mod adapters;
mod format;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod vocabulary;

pub use store::{EventCategory, EventLog, EventStore, EventStream, Scan, ScanIter, Visit, retry_on_conflict};
pub use vocabulary::attributes::{AttributeValue, Attributes};
pub use vocabulary::condition::{
    Condition, ExpectedPosition, IntoCondition, UnmetCondition, position_is, stream_exists, stream_is_empty,
};
pub use vocabulary::error::{
    AppendError, Corruption, Error, IoFailure, LimitExceeded, LimitedThing, OpenError, ProjectionError, ReadError,
    Result, Retry,
};
pub use vocabulary::event::{EventId, EventRef, NewEvent, StoredEvent};
pub use vocabulary::identifier::{Category, Identifier, Log, Stream};
pub use vocabulary::number::{Position, Revision, SequenceNumber};
pub use vocabulary::options::{Durability, Limits, OpenMode, Options};
pub use vocabulary::payload::{Codec, Data, Payload, PayloadError, PayloadKind, PayloadRef};
pub use vocabulary::query::ScanQuery;
pub use vocabulary::time::{Clock, FixedClock, InvalidTime, SteppingClock, SystemClock, Timestamp};
pub use vocabulary::transaction::{Digest, Receipt, StoredTransaction, SystemRecord, Transaction, transaction};

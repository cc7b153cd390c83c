//! State views and state changes: code of users that folds events, and that decides new ones.
//!
//! What user code sees (`codec`, `command`, `change`, `view`, `reader`) are values and one object-safe trait, without the store:
//! the same source can be built natively and as a guest. What runs it (`registry`, `render`, `execute`, and what they stand on)
//! knows the database.

mod cache;
mod change;
mod codec;
mod command;
mod definition;
mod execute;
mod kept;
mod on_database;
mod reader;
mod registry;
mod render;
mod request;
mod view;

pub use change::{AnyStateChange, DecideFailure, DecideResult, Decision, StateChange, StateChangeMetadata};
pub use codec::{ContentCodec, Json, MessagePack};
pub use command::{Command, FromCommand};
pub use definition::{ChangeDefinition, KeptViews, Maintenance, QueryTemporality, ViewDefinition};
pub use execute::Executed;
pub use on_database::RefreshedViews;
pub use reader::{DatabaseReader, EventQuery, QueryRange, ViewParameters};
pub(crate) use registry::Functions;
pub use registry::{RegisteredChange, RegisteredView};
pub use request::StateChangeRequest;
pub use view::{AnyStateView, RenderedView, StateView, ViewFold, ViewState};

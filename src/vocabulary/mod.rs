//! Floor 0: the words of the model. No input or output, no byte layout; knows no other floor.

pub mod append;
pub mod attributes;
pub mod condition;
pub mod error;
pub mod event;
pub(crate) mod id;
pub mod identifier;
pub(crate) mod json;
pub(crate) mod made_id;
pub(crate) mod mark;
pub(crate) mod moment;
pub(crate) mod new_event;
pub mod number;
pub mod options;
pub mod payload;
pub(crate) mod pledge;
pub mod query;
pub(crate) mod reentry;
pub(crate) mod sevens;
pub mod stats;
pub(crate) mod sync;
pub mod ticket;
pub mod time;
pub mod transaction;

//! Floor 9: state out of events: projections, databases, and the state views and state changes of users.

mod database;
mod functions;
mod project;
mod projection;
mod projector;
mod upcast;

pub use database::{
    Catalog, CatalogOptions, Database, DatabaseAt, Query, QueryIter, TransactionDetail, TransactionSummary,
};
pub use functions::{
    AnyStateChange, AnyStateView, ChangeDefinition, Command, ContentCodec, DatabaseReader, DecideFailure, DecideResult,
    Decision, EventQuery, Executed, FromCommand, Json, KeptViews, Maintenance, MessagePack, QueryRange,
    QueryTemporality, RefreshedViews, RegisteredChange, RegisteredView, RenderedView, StateChange, StateChangeMetadata,
    StateChangeRequest, StateView, ViewDefinition, ViewFold, ViewParameters, ViewState,
};
pub use project::Project;
pub use projection::Projection;
pub use projector::{Applied, HandlerOutcome, IntoEventResult, MissingHandler, Projector};
pub use upcast::{TypedEvent, Upcasters};

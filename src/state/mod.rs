//! Floor 9: state out of events: projections, what folds them, and what brings old payloads up to date; and databases.

mod database;
mod project;
mod projection;
mod projector;
mod upcast;

pub use database::{
    Catalog, CatalogOptions, Database, DatabaseAt, Query, QueryIter, TransactionDetail, TransactionSummary,
};
pub use project::Project;
pub use projection::Projection;
pub use projector::{Applied, HandlerOutcome, IntoEventResult, MissingHandler, Projector};
pub use upcast::{TypedEvent, Upcasters};

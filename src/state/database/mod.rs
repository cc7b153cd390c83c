//! Databases: a store by its name, as it was, is, or would be; and the catalog that keeps many.

mod at;
mod by_effective_time;
mod by_revision;
mod catalog;
mod handle;
mod log;
mod origin;
mod points;
mod query;
mod refusal;
mod speculate;

pub use at::DatabaseAt;
pub use catalog::{Catalog, CatalogOptions};
pub use handle::Database;
pub use log::{TransactionDetail, TransactionSummary};
pub use query::{Query, QueryIter};

//! Help for tests: what the library's own tests and fuzz targets share, and what users' tests build on.

#[doc(hidden)]
pub mod fuzz;

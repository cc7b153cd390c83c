//! Floor 1: bytes to structs and back. Total on any input; does no input or output.

pub(crate) mod bytes;
pub(crate) mod checksum;
pub(crate) mod closed_file;
#[cfg(test)]
mod damage;
pub(crate) mod decode;
pub(crate) mod digest;
pub(crate) mod encode;
pub(crate) mod event;
#[cfg(test)]
mod format_document;
pub(crate) mod frame;
pub(crate) mod index_file;
pub(crate) mod place;
pub(crate) mod plain;
pub(crate) mod plain_writer;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod samples;
pub(crate) mod segment_header;
pub(crate) mod transaction;

pub(crate) use crate::vocabulary::made_id as event_id;

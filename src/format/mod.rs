//! Floor 1: bytes to structs and back. Total on any input; does no input or output.

pub(crate) mod digest;
pub(crate) mod event_id;

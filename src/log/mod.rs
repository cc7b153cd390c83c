//! Floor 4: many segments: their names, making them, reading them in order, and recovery.

mod recovery;
mod segments;

#[cfg(feature = "testing")]
pub(crate) use recovery::case_of;
pub(crate) use recovery::{Reading, Tail, Visitor, foreign, read, repair};
pub(crate) use segments::{create_segment, is_temporary, segment_name, segment_number};

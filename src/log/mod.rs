//! Floor 4: many segments: their names, making them, reading them in order, recovery, and what damage leaves to be read.

mod recovery;
mod segments;
mod survey;

#[cfg(feature = "testing")]
pub(crate) use recovery::case_of;
pub(crate) use recovery::{Reading, Tail, Visitor, foreign, read, repair};
pub(crate) use segments::{
    CLOSED, create_segment, index_name, index_of, is_temporary, put_side_file, segment_name, segment_number,
};
pub(crate) use survey::{Survey, survey};

//! Floor 3: one segment file: scanning it as recovery does, and finding out what stands after its last valid frame.

mod scan;
mod window;

pub(crate) use scan::{Chain, ScanEnd, Stop, scan, search_marks};

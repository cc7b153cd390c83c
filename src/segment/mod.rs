//! Floor 3: one segment file: scanning it as recovery does, and finding what stands where no chain leads.

mod scan;
mod search;
mod window;

pub(crate) use scan::{Chain, ScanEnd, Start, Stop, scan, what_stands};
pub(crate) use search::{Found, Search, search_marks};

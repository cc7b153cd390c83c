//! How many flushes the disk below a directory has done, for all who use it.

use rustix::fs::{major, minor, stat};
use std::path::Path;

/// Where the count stands among the disk's figures.
const FLUSHES: usize = 15;

/// How many flushes the disk has done so far; `None` where the system does not say.
pub fn flushes(directory: &Path) -> Option<u64> {
    let device = stat(directory).ok()?.st_dev;
    let figures = std::fs::read_to_string(format!("/sys/dev/block/{}:{}/stat", major(device), minor(device))).ok()?;
    figures.split_whitespace().nth(FLUSHES)?.parse().ok()
}

//! Memory that the machine below has to bring in first: it is used once before, so that no engine's rate is that of the machine.
//!
//! A virtual machine gives memory that it does not use back to its host. What fills the page cache for the first time since then
//! waits for the host, page after page: seven times as long as the writing itself, whoever writes.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Bytes that are used at most.
const MOST: usize = 4 << 30;
/// Bytes that an event may take in files, beside what it says.
const BESIDE: usize = 400;

/// Fills as much of the page cache as so many events of so many bytes will, and gives it back.
///
/// # Errors
/// When the file for that cannot be written.
pub fn use_once(directory: &Path, events: usize, payload: usize) -> Result<()> {
    let path = directory.with_extension("memory");
    let bytes = events.saturating_mul(payload + BESIDE).min(MOST);
    let written = fill(&path, bytes);
    let removed = fs::remove_file(&path);
    written.and(removed).map_err(Error::io(&path))
}

fn fill(path: &Path, bytes: usize) -> std::io::Result<()> {
    let piece = vec![0; 2 << 20];
    let mut file = File::create(path)?;
    for at in (0..bytes).step_by(piece.len()) {
        file.write_all(&piece[..piece.len().min(bytes - at)])?;
    }
    Ok(())
}

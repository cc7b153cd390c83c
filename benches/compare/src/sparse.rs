//! Files with holes: where their data lies, and copies that keep the holes.

use crate::error::{Error, Result};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that are copied in one go.
const STEP: u64 = 1 << 20;

/// The parts of a file that are not holes, in order.
///
/// # Errors
/// When the system does not tell.
pub fn parts(file: &File, length: u64) -> std::io::Result<Vec<Range<u64>>> {
    let (mut at, mut parts) = (0, Vec::new());
    while at < length {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        at = seek(file, SeekFrom::Hole(start))?;
        parts.push(start..at);
    }
    Ok(parts)
}

/// Copies a folder with all that is in it. A hole stays a hole: some stores make files that are many times longer than what is in
/// them.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(Error::io(to))?;
    for entry in std::fs::read_dir(from).map_err(Error::io(from))? {
        let entry = entry.map_err(Error::io(from))?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            copy_file(&path, &to).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    let (from, to) = (File::open(from)?, File::create(to)?);
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut buffer = vec![0; STEP as usize];
    for part in parts(&from, length)? {
        let mut at = part.start;
        while at < part.end {
            let bytes = &mut buffer[..STEP.min(part.end - at) as usize];
            from.read_exact_at(bytes, at)?;
            to.write_all_at(bytes, at)?;
            at += bytes.len() as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_keeps_content_and_holes() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        std::fs::create_dir_all(from.join("folder")).unwrap();
        let file = File::create(from.join("folder/sparse")).unwrap();
        file.set_len(32 << 20).unwrap();
        file.write_all_at(b"in the middle", 16 << 20).unwrap();
        std::fs::write(from.join("full"), vec![7; 3_000_000]).unwrap();
        copy(&from, &to).unwrap();
        for name in ["folder/sparse", "full"] {
            assert!(std::fs::read(from.join(name)).unwrap() == std::fs::read(to.join(name)).unwrap(), "{name}");
        }
        let blocks = std::fs::metadata(to.join("folder/sparse")).unwrap().blocks();
        assert!(blocks < 1_000, "{blocks} blocks for a file that is nearly all hole");
    }
}

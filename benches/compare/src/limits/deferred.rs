//! What the disk takes when nobody waits for it: frames written one behind the other, and a sync now and then.

use super::durable::{FILE, FILL};
use super::frames::{encode, filled, size};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::measure::{Measured, Watch};
use crate::workloads::Extent;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of one write, more or less.
const WRITE: usize = 1 << 20;

/// Appends frames until the time is over, and syncs whenever the file is full, and at the end.
pub fn append(data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let path = directory.join("frames");
    let file = filled(&path, FILE, FILL)?;
    file.sync_all().map_err(Error::io(&path))?;
    let size = size(data);
    let mut buffer = vec![0; WRITE.max(size) / size * size];
    let mut positions = vec![0_u64; data.streams.len()];
    let (mut done, mut at) = (0, 0);
    let watch = Watch::start();
    while done < extent.events && watch.elapsed() < extent.time {
        let count = (buffer.len() / size).min(extent.events - done);
        for (event, frame) in (done..done + count).zip(buffer.chunks_exact_mut(size)) {
            let stream = data.stream(event);
            encode(data, stream, positions[stream.number], event as u64, frame);
            positions[stream.number] += 1;
        }
        if at + count * size > FILE {
            file.sync_data().map_err(Error::io(&path))?;
            at = 0;
        }
        file.write_all_at(&buffer[..count * size], at as u64).map_err(Error::io(&path))?;
        at += count * size;
        done += count;
    }
    file.sync_data().map_err(Error::io(&path))?;
    Ok(watch.rate(done as u64))
}

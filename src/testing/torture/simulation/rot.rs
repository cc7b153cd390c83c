//! What no crash does: bytes that were durable change, and files vanish.
//!
//! Opening must refuse, for the right reason, and write nothing. What an index file answers for is not read by opening: there
//! reading must say what is wrong, or show what was there, and verifying must find it.

use super::world::{Setting, World};
use crate::disk::MemoryFiles;
use crate::engine::{Engine, Verdict, verify_on};
use crate::format::frame::{FrameHeader, HEADER_BYTES as FRAME_BYTES, Kind, seal};
use crate::format::place::{Place, aligned};
use crate::format::segment_header::{HEADER_BYTES, HEADER_FIELDS, SegmentHeader};
use crate::log::{case_of, segment_number};
use crate::vocabulary::error::OpenError;

/// A frame of an undamaged store.
struct Frame {
    file: String,
    salt: u64,
    place: Place,
    header: FrameHeader,
}

/// All frames of an undamaged store, and the furthest durable mark in them.
fn frames(files: &MemoryFiles) -> (Vec<Frame>, Place) {
    let mut frames: Vec<Frame> = Vec::new();
    for (name, bytes) in files {
        let (Some(number), Ok(segment)) = (segment_number(name), SegmentHeader::decode(bytes)) else { continue };
        let mut offset = HEADER_BYTES;
        while let Some(header) = usize::try_from(offset).ok().and_then(|at| FrameHeader::decode(bytes.get(at..)?)) {
            let place = Place { segment: number, offset };
            frames.push(Frame { file: name.clone(), salt: segment.salt, place, header });
            offset += aligned(u64::from(header.length));
        }
    }
    let mark = frames.iter().map(|frame| frame.header.mark_place(frame.place.segment)).max();
    (frames, mark.unwrap_or(Place::start_of(1)))
}

impl World {
    /// Damages a store of which all is durable, in one way of the recovery table, and opens it.
    pub(super) fn rot(&mut self, mut files: MemoryFiles) -> Result<(), String> {
        let (frames, mark) = frames(&files);
        let case = match self.random.u8(..3) {
            0 => self.change_what_was_durable(&mut files, &frames, mark),
            1 => self.damage_a_segment(&mut files),
            _ => self.forge_the_last_frame(&mut files, &frames, mark),
        };
        case.map_or(Ok(()), |case| self.must_be_refused(files, case))
    }

    /// Fills what is behind the log with what looks like frames, more than opening will look at.
    pub(super) fn flood(&mut self) -> Result<(), String> {
        let setting = Setting { segment_bytes: (256 << 10, 256 << 10), ..self.setting.clone() };
        let disk = self.disk(MemoryFiles::new());
        let engine = setting.open(&disk).map_err(|error| format!("opening failed: {error:?}"))?;
        engine.close().map_err(|error| format!("closing failed: {error:?}"))?;
        drop(engine);
        let mut files = disk.crash(512).outcome(0).files;
        let (frames, _) = frames(&files);
        let (Some(last), Some(bytes)) = (frames.last(), files.values_mut().next()) else {
            return Err("a store without frames".into());
        };
        let mut at = usize::try_from(last.place.offset + aligned(u64::from(last.header.length))).unwrap_or(usize::MAX);
        while at + FRAME_BYTES < bytes.len() {
            let length = u32::try_from(bytes.len() - at).unwrap_or_default();
            let header = FrameHeader { length, ..last.header }.encode();
            bytes[at..at + FRAME_BYTES].copy_from_slice(&header[..FRAME_BYTES]);
            at += FRAME_BYTES;
        }
        self.must_be_refused(files, 'F')
    }

    /// Case D.
    fn change_what_was_durable(&mut self, files: &mut MemoryFiles, frames: &[Frame], mark: Place) -> Option<char> {
        let durable: Vec<&Frame> = frames.iter().filter(|frame| frame.place < mark).collect();
        let frame = durable.get(self.random.usize(..durable.len().max(1)))?;
        let at = frame.place.offset + self.random.u64(..u64::from(frame.header.length));
        let byte = files.get_mut(&frame.file)?.get_mut(usize::try_from(at).ok()?)?;
        *byte ^= self.random.u8(1..);
        Some('D')
    }

    /// Case E.
    fn damage_a_segment(&mut self, files: &mut MemoryFiles) -> Option<char> {
        let names: Vec<String> = files.keys().filter(|name| segment_number(name).is_some()).cloned().collect();
        let index = self.random.usize(..names.len());
        if self.random.bool() && index + 1 < names.len() {
            files.remove(&names[index]);
        } else {
            // Behind what says which format it is: a newer one is another refusal.
            let at = self.random.usize(24..HEADER_FIELDS);
            *files.get_mut(&names[index])?.get_mut(at)? ^= self.random.u8(1..);
        }
        Some('E')
    }

    /// Case G.
    fn forge_the_last_frame(&mut self, files: &mut MemoryFiles, frames: &[Frame], mark: Place) -> Option<char> {
        // An opening frame that does not follow is what a crash may leave: its segment is then no part of the log.
        let last = frames.last().filter(|last| last.place >= mark && last.header.kind != Kind::Opening)?;
        let start = usize::try_from(last.place.offset).ok()?;
        let frame = files.get_mut(&last.file)?.get_mut(start..start + last.header.length as usize)?;
        // The sequence number, or the link to the frame before.
        let at = if self.random.bool() { 16 } else { 44 };
        *frame.get_mut(at)? ^= 1;
        seal(frame, last.header.covered as usize, last.salt, last.place.offset);
        Some('G')
    }

    fn must_be_refused(&mut self, mut files: MemoryFiles, case: char) -> Result<(), String> {
        if self.random.bool() {
            files.retain(|name, _| segment_number(name).is_some());
        }
        let hinted = files.keys().any(|name| segment_number(name).is_none());
        let disk = self.disk(files.clone());
        match self.setting.open(&disk) {
            Err(OpenError::Corrupt(corruption)) if case_of(&corruption) == case => {}
            Err(other) => return Err(format!("damage of case {case} was refused for another reason: {other:?}")),
            Ok(engine) if hinted && case != 'E' => return self.must_be_told(&engine, files, case),
            Ok(_) => return Err(format!("damage of case {case} went unnoticed")),
        }
        if !disk.crash(512).is_settled() {
            return Err(format!("something was written to a store damaged in case {case}"));
        }
        self.outcome.count(format!("recovery table, case {case}"), 1);
        Ok(())
    }

    /// The store was opened by what its index files say, over damage that nobody has read yet.
    fn must_be_told(&mut self, engine: &Engine, files: MemoryFiles, case: char) -> Result<(), String> {
        let told = verify_on(&*self.disk(files), &mut |_| {});
        let told = told.map_err(|error| format!("damage of case {case} cannot be verified: {error:?}"))?.verdict;
        if !matches!(told, Verdict::Corrupt { .. }) {
            return Err(format!("damage of case {case} under an index went unnoticed: {told:?}"));
        }
        match self.model.judge(engine, 0) {
            Err(wrong) if !wrong.contains("read: corrupt") => {
                return Err(format!("damage of case {case} under an index: {wrong}"));
            }
            _ => {}
        }
        self.outcome.count(format!("damage of case {case} under an index"), 1);
        Ok(())
    }
}

//! The segment files of a damaged store: which can be read, as what, and which cannot. Writes nothing.

use super::recovery::LENGTH_LIMIT;
use super::segments::{segment_name, segment_number};
use crate::disk::{Disk, DiskFile, PatientFile};
use crate::format::segment_header::{FORMAT, HEADER_FIELDS, HeaderFault, SegmentHeader};
use crate::vocabulary::error::OpenError;
use std::collections::HashMap;
use std::sync::Arc;

/// What can be read of a store's files.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Segments of one store with valid headers, in order of number.
    pub(crate) segments: Vec<(SegmentHeader, Arc<PatientFile>)>,
    /// Files, and parts of files, of which nothing can be proven.
    pub(crate) refused: Vec<Refused>,
}

/// Bytes that are not looked at, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The segment, as the file's name has it.
    pub(crate) segment: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) what: String,
}

/// A file with a valid header.
struct Candidate {
    /// The number in its name.
    named: u64,
    header: SegmentHeader,
    file: Arc<dyn DiskFile>,
}

/// Looks at all segment files of a store. `None` where there are none.
///
/// A file under a wrong name is read as the segment that its header says it is: the header is under a checksum, the name is not.
///
/// # Errors
/// [`OpenError::NewerFormat`]: what a newer version wrote is not judged by this one. [`OpenError::Io`].
pub(crate) fn survey(disk: &dyn Disk) -> Result<Option<Survey>, OpenError> {
    let mut numbers: Vec<u64> = disk.list()?.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        return Ok(None);
    }
    let mut survey = Survey { segments: Vec::new(), refused: Vec::new() };
    let mut candidates = Vec::new();
    for named in numbers {
        let file = disk.open(&segment_name(named), false)?;
        match read_header(&file)? {
            Ok(header) => candidates.push(Candidate { named, header, file }),
            Err(what) => survey.refuse(named, 0, file.length(), what),
        }
    }
    let store_id = store_id_of(&candidates);
    // Where two files are the same segment, the one under the right name comes first.
    candidates.sort_by_key(|candidate| (candidate.header.number, candidate.named != candidate.header.number));
    for candidate in candidates {
        survey.take(candidate, store_id);
    }
    survey.note_missing();
    survey.refused.sort_by_key(|refused| (refused.segment, refused.from));
    Ok(Some(survey))
}

/// Reads a header, or says why it cannot be taken for one.
fn read_header(file: &Arc<dyn DiskFile>) -> Result<Result<SegmentHeader, String>, OpenError> {
    const FIELDS: u64 = HEADER_FIELDS as u64;
    if file.length() < FIELDS {
        return Ok(Err(format!("the file has {} bytes, less than a header", file.length())));
    }
    let patient = PatientFile::new(Arc::clone(file), FIELDS);
    let mut bytes = [0; HEADER_FIELDS];
    patient.read_at(0, &mut bytes)?;
    if let Some(failure) = patient.unreadable_within(0, FIELDS) {
        return Ok(Err(format!("the header cannot be read ({failure}), and no frame proves itself without it")));
    }
    match SegmentHeader::decode(&bytes) {
        Ok(header) if header.length > LENGTH_LIMIT => {
            Ok(Err(format!("the file has {} bytes, more than a place can name", header.length)))
        }
        Ok(header) => Ok(Ok(header)),
        // The salt that seeds every checksum of the segment is in the header, and nowhere else.
        Err(HeaderFault::Invalid(what)) => Ok(Err(format!("{what}, and no frame proves itself without it"))),
        Err(HeaderFault::Newer { format, incompatible }) => Err(OpenError::NewerFormat {
            path: file.path(),
            found: format,
            supported: FORMAT,
            detail: format!("feature bits {incompatible:#x}"),
        }),
    }
}

/// The store that most files belong to; of as many, the one with the lowest file.
fn store_id_of(candidates: &[Candidate]) -> Option<[u8; 16]> {
    let mut files: HashMap<[u8; 16], usize> = HashMap::new();
    for candidate in candidates {
        *files.entry(candidate.header.store_id).or_default() += 1;
    }
    let most = files.values().copied().max()?;
    let of_most = |candidate: &&Candidate| files.get(&candidate.header.store_id) == Some(&most);
    candidates.iter().find(of_most).map(|candidate| candidate.header.store_id)
}

impl Survey {
    fn refuse(&mut self, segment: u64, from: u64, to: u64, what: String) {
        self.refused.push(Refused { segment, from, to, what });
    }

    fn take(&mut self, candidate: Candidate, store_id: Option<[u8; 16]>) {
        let Candidate { named, header, file } = candidate;
        let length = file.length();
        if Some(header.store_id) != store_id {
            return self.refuse(named, 0, length, "the segment belongs to another store".into());
        }
        if self.segments.last().is_some_and(|(last, _)| last.number == header.number) {
            return self.refuse(named, 0, length, format!("the file is a second one of segment {}", header.number));
        }
        if length < header.length {
            self.refuse(named, length, header.length, format!("the file has {length} bytes, and was made with more"));
        }
        if length > header.length {
            self.refuse(named, header.length, length, "the file was made without these bytes".into());
        }
        let file = Arc::new(PatientFile::new(file, header.length));
        self.segments.push((header, file));
    }

    /// Notes runs of numbers that no file has, be it whole or damaged.
    fn note_missing(&mut self) {
        let whole_files = self.refused.iter().filter(|refused| refused.from == 0).map(|refused| refused.segment);
        let mut there: Vec<u64> = self.segments.iter().map(|(header, _)| header.number).chain(whole_files).collect();
        there.sort_unstable();
        let mut next = 1_u64;
        for number in there {
            if number > next {
                let what = match number - 1 {
                    last if last == next => "the segment is missing".to_owned(),
                    last => format!("the segments {next} to {last} are missing"),
                };
                self.refuse(next, 0, 0, what);
            }
            next = next.max(number.saturating_add(1));
        }
    }
}

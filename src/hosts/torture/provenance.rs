//! Where a record comes from: the source that ran, the machine that it ran on, and when.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use xxhash_rust::xxh3::Xxh3;

/// What decides how a piece behaves, below the root of the repository.
const SOURCES: [&str; 5] = ["Cargo.lock", "Cargo.toml", "fuzz/Cargo.lock", "fuzz/fuzz_targets", "src"];
/// What only shows what others counted.
const SHOWS: &str = "src/hosts/torture/report";

/// The source, the machine and the time of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    pub(crate) commit: String,
    /// A digest of the source: records of one digest may be added up.
    pub(crate) source: String,
    /// When the record was written, in UTC.
    pub(crate) date: String,
    pub(crate) kernel: String,
    pub(crate) processor: String,
    /// What temporary files were on.
    pub(crate) file_system: String,
    pub(crate) rustc: String,
}

impl Provenance {
    /// Of this run. `STRATALOG_COMMIT` and `STRATALOG_SOURCE` say what was built, where it may have changed since.
    pub(crate) fn now() -> Self {
        let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let unknown = || "unknown".to_owned();
        Self {
            commit: given("STRATALOG_COMMIT").or_else(commit).unwrap_or_else(unknown),
            source: given("STRATALOG_SOURCE").or_else(|| source().ok()).unwrap_or_else(unknown),
            date: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            kernel: said_by("uname", &["-sr"]).unwrap_or_else(unknown),
            processor: processor().unwrap_or_else(unknown),
            file_system: file_system(&std::env::temp_dir()).unwrap_or_else(unknown),
            rustc: said_by("rustc", &["--version"]).unwrap_or_else(unknown),
        }
    }
}

/// The commit that is checked out; marked where files differ from it.
pub(crate) fn commit() -> Option<String> {
    let commit = said_by("git", &["rev-parse", "--short=12", "HEAD"])?;
    let changed = said_by("git", &["status", "--porcelain", "--untracked-files=no"]).is_some();
    Some(if changed { format!("{commit} and changes") } else { commit })
}

/// A digest of the source below the root of the repository.
///
/// # Errors
/// Where there is no repository, or a file cannot be read.
pub(crate) fn source() -> io::Result<String> {
    let no_repository = || io::Error::new(io::ErrorKind::NotFound, "this is no clone of the repository");
    let root = PathBuf::from(said_by("git", &["rev-parse", "--show-toplevel"]).ok_or_else(no_repository)?);
    let mut files = Vec::new();
    for below in SOURCES {
        collect(&root, below, &mut files)?;
    }
    files.sort_unstable();
    let mut hasher = Xxh3::new();
    for file in files {
        let bytes = fs::read(root.join(&file))?;
        hasher.update(file.as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(format!("{:016x}", hasher.digest()))
}

fn collect(root: &Path, below: &str, files: &mut Vec<String>) -> io::Result<()> {
    if below == SHOWS {
        return Ok(());
    }
    let path = root.join(below);
    if !path.is_dir() {
        files.push(below.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(root, &format!("{below}/{}", entry?.file_name().to_string_lossy()), files)?;
    }
    Ok(())
}

/// What a program answers, in one line; `None` where it does not, or says nothing.
fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "))?.1.to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    Some(format!("{cores} x {name}"))
}

/// The kind of the file system that a path is on, as the mounts tell.
fn file_system(path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        path.starts_with(place).then(|| (place.len(), kind.to_owned()))
    });
    mounted.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

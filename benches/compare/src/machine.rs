//! What a run must say about where it ran: the machine, the file system, the versions of all engines.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What this was built from.
const LOCK: &str = include_str!("../Cargo.lock");

/// The crates that the engines come from.
const ENGINES: [&str; 8] = ["stratalog", "tephra", "umadb-core", "sierradb", "rusqlite", "heed", "redb", "fjall"];

/// Where a run ran, and what it ran.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of them.
    pub processors: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The kernel.
    pub kernel: String,
    /// The file system that the stores were on, with its options.
    pub file_system: String,
    /// The compiler, as far as it is there to ask.
    pub compiler: String,
    /// Versions of the engines' crates and libraries.
    pub versions: BTreeMap<String, String>,
}

impl Machine {
    /// This machine, with stores in this directory.
    pub fn here(directory: &Path) -> Self {
        let system = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_mib: field("/proc/meminfo", "MemTotal")
                .and_then(|size| size.split(' ').next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib / 1_024),
            kernel: format!("{} {} {}", text(system.sysname()), text(system.release()), text(system.machine())),
            file_system: file_system(directory).unwrap_or_else(unknown),
            compiler: compiler().unwrap_or_else(unknown),
            versions: versions(),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The load over one minute.
pub fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn compiler() -> Option<String> {
    let output = std::process::Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|version| !version.is_empty())
}

/// The file system that holds the directory: the one mounted deepest above it.
fn file_system(directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = |line: &str| {
        let mut words = line.split(' ');
        let (_, at, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
        directory.starts_with(at).then(|| (at.len(), format!("{kind} ({options})")))
    };
    // Of several mounts in one place, the last covers the others.
    mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth).map(|(_, description)| description)
}

/// The engines' versions, from the lock file this was built from; and of the libraries in C that two of them bring along.
fn versions() -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    let lock: toml::Table = LOCK.parse().unwrap_or_default();
    let packages = lock.get("package").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    for package in packages {
        let text = |key| package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        if ENGINES.contains(&text("name").as_str()) {
            versions.insert(text("name"), text("version"));
        }
    }
    versions.insert("SQLite".to_owned(), rusqlite::version().to_owned());
    let lmdb = heed::lmdb_version();
    versions.insert("LMDB".to_owned(), format!("{}.{}.{}", lmdb.major, lmdb.minor, lmdb.patch));
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_has_a_version() {
        let machine = Machine::here(Path::new("."));
        for engine in ENGINES {
            assert!(machine.versions.contains_key(engine), "{engine}");
        }
        assert!(machine.versions["SQLite"].starts_with("3."));
        assert_ne!(machine.file_system, "unknown");
        assert!(machine.processors > 0);
    }
}

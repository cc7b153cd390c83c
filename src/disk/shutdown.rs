//! Shutting a file system down, as a power cut would: for tests on real kernels.

use std::fs::File;
use std::io;
use std::path::Path;

/// What is still written when a file system is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Everything, first.
    Flush,
    /// The file system's own log, and what belongs to it.
    FlushLog,
    /// Nothing: a power cut.
    Nothing,
}

/// Shuts down the file system that is mounted at `path`: from then on nothing is written to it until it was unmounted.
///
/// # Errors
/// The system's, also where the file system cannot do it.
#[cfg(target_os = "linux")]
pub fn shut_down(path: &Path, how: Shutdown) -> io::Result<()> {
    /// `FS_IOC_SHUTDOWN`.
    const SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587D;
    let flags: u32 = match how {
        Shutdown::Flush => 0,
        Shutdown::FlushLog => 1,
        Shutdown::Nothing => 2,
    };
    let root = File::open(path)?;
    // SAFETY: the request reads one u32 through the pointer that it is given, which is what `Setter` points to for the time of
    // the call; it writes nothing to this process's memory.
    unsafe { rustix::ioctl::ioctl(&root, rustix::ioctl::Setter::<SHUTDOWN, u32>::new(flags)) }.map_err(Into::into)
}

/// Other systems have no such request.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn shut_down(_path: &Path, _how: Shutdown) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

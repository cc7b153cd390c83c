//! What a kernel may do at any time, asked for: writing some pages back, and a power cut. For tests on real kernels.

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

/// Lets the kernel write a part of a file back, as it may do at any time, and does not wait for it. Nothing is durable by this,
/// and the page cache keeps it.
///
/// # Errors
/// The system's.
#[cfg(target_os = "linux")]
pub fn write_back(file: &File, offset: i64, length: i64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is that of `file`, which is open for the time of the call; no memory of this process is passed, and
    // none of it changes.
    match unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Other systems have no such request.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn write_back(_file: &File, _offset: i64, _length: i64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

//! File systems of one's own: in a mount namespace of this process, so that they are gone with it, however it ends.

use super::Failure;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells the program that it is in its own namespace already.
const INSIDE: &str = "STRATALOG_TORTURE_INSIDE";

/// Sees to it that this process has a mount namespace of its own, by running the program again in one: with the last process in
/// it all mounts end, and with these the loop devices, which detach themselves. Says why not where it may not have one.
pub(crate) fn enter() -> Result<(), String> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let namespace = ["--mount", "--propagation", "private"];
    let probe = Command::new("unshare")
        .args(namespace)
        .args(["mount", "-t", "tmpfs", "tmpfs"])
        .arg(std::env::temp_dir())
        .output();
    match probe {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!(
                "mounting is not allowed here ({why}): run it as root, in a container with --privileged"
            ));
        }
        Err(error) => return Err(format!("unshare cannot be run ({error}): install util-linux")),
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let failed =
        Command::new("unshare").args(namespace).arg(program).args(std::env::args_os().skip(1)).env(INSIDE, "1").exec();
    Err(format!("unshare: {failed}"))
}

/// Runs a command of the system to its end; what it said is in the error.
pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(program: &str, arguments: &[S]) -> Result<String, Failure> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// A mounted file system, unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mount {
    path: PathBuf,
}

impl Mount {
    /// Mounts what the arguments say on a folder, which is made.
    fn new(path: &Path, arguments: &[&str]) -> Result<Self, Failure> {
        std::fs::create_dir_all(path)?;
        let place = path.to_string_lossy();
        let arguments: Vec<&str> = arguments.iter().copied().chain([&*place]).collect();
        command("mount", &arguments)?;
        Ok(Self { path: path.to_owned() })
    }

    /// A file system in memory.
    pub(crate) fn memory(path: &Path, mebibytes: u64) -> Result<Self, Failure> {
        Self::new(path, &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
    }

    /// The file system in an image. The loop device detaches itself when it is unmounted.
    pub(crate) fn image(path: &Path, image: &Path) -> Result<Self, Failure> {
        Self::new(path, &["-o", "loop", &image.to_string_lossy()])
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Unmounts, and says if that fails. A file system that is busy for a moment longer is waited for.
    pub(crate) fn end(self) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            match command("umount", &[&self.path]) {
                Ok(_) => break,
                Err(failure) if tries == 200 => return Err(failure),
                Err(_) => tries += 1,
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // On the way out of a failure; the namespace ends what stays busy.
        let _ = command("umount", &["-l".as_ref(), self.path.as_os_str()]);
    }
}

/// A kind of file system that is made in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    fn tool(self) -> (&'static str, &'static str) {
        match self {
            FileSystem::Ext4 => ("mkfs.ext4", "e2fsprogs"),
            FileSystem::Xfs => ("mkfs.xfs", "xfsprogs"),
        }
    }

    /// Sees that the tool that makes it is there, and installs it where that is allowed. Says why not.
    pub(crate) fn ready(self) -> Result<(), String> {
        let (tool, package) = self.tool();
        install(tool, package)
    }

    /// Makes the file system in a new, sparse image.
    pub(crate) fn make(self, image: &Path, mebibytes: u64, options: &[&str]) -> Result<(), Failure> {
        std::fs::File::create(image)?.set_len(mebibytes << 20)?;
        let quiet: &[&str] = if self == FileSystem::Ext4 { &["-q", "-F"] } else { &["-q", "-f"] };
        let place = image.to_string_lossy();
        let arguments: Vec<&str> = quiet.iter().chain(options).copied().chain([&*place]).collect();
        command(self.tool().0, &arguments).map(drop)
    }
}

/// Sees that a tool is there, and installs its package where that is allowed. Says why not.
pub(crate) fn install(tool: &str, package: &str) -> Result<(), String> {
    let is_there = || command(tool, &["-V"]).is_ok();
    if is_there() {
        return Ok(());
    }
    let installed = command("apt-get", &["update"])
        .and_then(|_| command("apt-get", &["install", "--yes", "--no-install-recommends", package]));
    match installed {
        Ok(_) if is_there() => Ok(()),
        Ok(_) => Err(format!("{tool} is not there, also after installing {package}")),
        Err(error) => Err(format!("{tool} is not there and cannot be installed ({error}): install {package}")),
    }
}

/// Throws away what the page cache holds unchanged.
pub(crate) fn drop_caches() -> Result<(), Failure> {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").map_err(|error| format!("drop_caches: {error}").into())
}

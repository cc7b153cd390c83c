//! The workload as a child process, which does not outlive its guard.

use super::{Failure, Mode};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a child may take for anything before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The signal that nothing can catch: 9 everywhere.
pub(crate) const SIGKILL: i32 = 9;

/// How a workload is to be run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) mode: Mode,
    pub(crate) threads: u32,
    pub(crate) readers: u32,
    pub(crate) seed: u64,
}

/// A running workload.
#[derive(Debug)]
pub(crate) struct Workload {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: Option<u8>,
    pub(crate) signal: Option<i32>,
    pub(crate) words: String,
}

impl Ended {
    fn new(status: ExitStatus, words: String) -> Self {
        Self { code: status.code().and_then(|code| u8::try_from(code).ok()), signal: status.signal(), words }
    }
}

impl Workload {
    /// Starts the workload on a store.
    pub(crate) fn start<S: AsRef<OsStr>>(store: &Path, acks: &Path, load: Load, more: &[S]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("workload").arg(store).arg("--acks").arg(acks);
        command.args(["--durability", load.mode.name()]);
        command.args(["--threads", &load.threads.to_string(), "--readers", &load.readers.to_string()]);
        command.args(["--seed", &load.seed.to_string()]).args(more);
        Self::spawn(&mut command)
    }

    /// Starts a look at a store, which is read once it is told to go on.
    pub(crate) fn look(store: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::spawn(command.arg("look").arg(store))
    }

    fn spawn(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or("a child without standard output")?;
        Ok(Self { child, out: BufReader::new(out) })
    }

    /// The next word that it says; empty when it ended.
    pub(crate) fn hear(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Tells it to go on.
    pub(crate) fn tell(&mut self) -> Result<(), Failure> {
        let stdin = self.child.stdin.as_mut().ok_or("a child without standard input")?;
        Ok(writeln!(stdin, "go on")?)
    }

    /// Kills it by SIGKILL, unless it has ended by itself.
    pub(crate) fn kill(mut self) -> Result<Ended, Failure> {
        self.child.kill()?;
        self.end()
    }

    /// Waits until it ends by itself; kills it when that takes too long, which shows as its signal.
    pub(crate) fn wait(mut self) -> Result<Ended, Failure> {
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                self.child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.end()
    }

    fn end(&mut self) -> Result<Ended, Failure> {
        let status = self.child.wait()?;
        let mut words = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut words)?;
        }
        Ok(Ended::new(status, words.trim().to_owned()))
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        // Either fails only for a child that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

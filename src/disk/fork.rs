//! Telling a process from its fork: a child inherits files and locks, but not the right to write.

use memmap2::MmapMut;
use std::io;

/// A page that the kernel wipes in a child after `fork`.
#[derive(Debug)]
pub(crate) struct ForkGuard {
    /// `None` where the kernel cannot wipe: then forks go unnoticed.
    page: Option<MmapMut>,
}

impl ForkGuard {
    /// A guard of this process.
    pub(crate) fn new() -> io::Result<Self> {
        let mut page = MmapMut::map_anon(4_096)?;
        let wiped = wipe_on_fork(&mut page);
        if let Some(first) = page.first_mut() {
            *first = 1;
        }
        Ok(Self { page: wiped.then_some(page) })
    }

    /// Whether this process is a fork of the one that made the guard. Costs one load.
    pub(crate) fn is_fork(&self) -> bool {
        self.page.as_ref().is_some_and(|page| std::hint::black_box(page).first() == Some(&0))
    }
}

#[cfg(target_os = "linux")]
fn wipe_on_fork(page: &mut MmapMut) -> bool {
    // SAFETY: the range is exactly the anonymous, private mapping that `page` owns. The advice changes nothing in this
    // process; in a child it replaces the page by zeros, which are valid bytes.
    unsafe { rustix::mm::madvise(page.as_mut_ptr().cast(), page.len(), rustix::mm::Advice::LinuxWipeOnFork) }.is_ok()
}

#[cfg(not(target_os = "linux"))]
fn wipe_on_fork(_page: &mut MmapMut) -> bool {
    false
}

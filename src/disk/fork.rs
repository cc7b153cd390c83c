//! Telling a process from its fork: a child inherits files and locks, but not the right to write.

use arc_swap::ArcSwapOption;
use memmap2::MmapMut;
use std::io;
use std::sync::Arc;

/// A page that the kernel wipes in a child after `fork`; `None` where it cannot: then forks go unnoticed.
#[derive(Debug)]
struct Page(Option<MmapMut>);

impl Page {
    fn new() -> io::Result<Self> {
        let mut page = MmapMut::map_anon(4_096)?;
        let wiped = wipe_on_fork(&mut page);
        if let Some(first) = page.first_mut() {
            *first = 1;
        }
        Ok(Self(wiped.then_some(page)))
    }

    fn is_wiped(&self) -> bool {
        self.0.as_ref().is_some_and(|page| std::hint::black_box(page).first() == Some(&0))
    }
}

/// The page of this process, once one was asked for. One for each store would make every opening map and unmap a page, which all
/// threads of the process wait for.
static CURRENT: ArcSwapOption<Page> = ArcSwapOption::const_empty();

/// Tells the process that made it from its forks.
#[derive(Debug)]
pub(crate) struct ForkGuard(Arc<Page>);

impl ForkGuard {
    /// A guard of this process. In a fork that finds its parent's page wiped, it begins a page of its own.
    pub(crate) fn new() -> io::Result<Self> {
        if let Some(page) = CURRENT.load_full().filter(|page| !page.is_wiped()) {
            return Ok(Self(page));
        }
        let page = Arc::new(Page::new()?);
        CURRENT.store(Some(Arc::clone(&page)));
        Ok(Self(page))
    }

    /// Whether this process is a fork of the one that made the guard. Costs one load.
    pub(crate) fn is_fork(&self) -> bool {
        self.0.is_wiped()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_page_and_its_fork_begins_another() {
        let (first, second) = (ForkGuard::new().unwrap(), ForkGuard::new().unwrap());
        assert!(!first.is_fork() && Arc::ptr_eq(&first.0, &second.0));
        // As a child has it: the page that it inherited holds zeros.
        let inherited = ForkGuard(Arc::new(Page(Some(MmapMut::map_anon(4_096).unwrap()))));
        CURRENT.store(Some(Arc::clone(&inherited.0)));
        let own = ForkGuard::new().unwrap();
        assert!(inherited.is_fork() && !own.is_fork(), "the child's own stores are its own");
        assert!(Arc::ptr_eq(&own.0, &ForkGuard::new().unwrap().0));
    }
}

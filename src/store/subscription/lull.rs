//! How long who was woken in vain stays away before it lets itself be woken again.

use std::time::Duration;

/// The first time away.
const FIRST: Duration = Duration::from_micros(100);

/// The longest. So much later, at most, comes an event that is wanted behind many that are not.
const LONGEST: Duration = Duration::from_millis(4);

/// Keeps a subscription that gets nothing from having every append wake it.
///
/// An appender pays for waking who sleeps, some microseconds each time. Who looked at new events and wanted none of them does not
/// go to sleep where it would be woken by the next one, but stays away for a while, twice as long each time, and then looks by
/// itself. So where events come faster than that, nobody wakes it at all; where they are rare, each wakes it, which costs little.
#[derive(Debug, Default)]
pub(super) struct Lull {
    length: Duration,
    in_vain: bool,
}

impl Lull {
    /// Events were looked at, and none was wanted.
    pub(super) fn looked_in_vain(&mut self) {
        self.in_vain = true;
    }

    /// An event was given.
    #[inline]
    pub(super) fn gave(&mut self) {
        *self = Self::default();
    }

    /// How long to stay away now; `None` where it may sleep until it is woken.
    pub(super) fn next(&mut self) -> Option<Duration> {
        if !std::mem::take(&mut self.in_vain) {
            return None;
        }
        self.length = (self.length * 2).clamp(FIRST, LONGEST);
        Some(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_looks_are_in_vain_and_ends_with_an_event() {
        let mut lull = Lull::default();
        assert_eq!(lull.next(), None);
        let mut longest = Duration::ZERO;
        for turn in 0..20 {
            lull.looked_in_vain();
            let length = lull.next().unwrap();
            assert!(length > longest || length == LONGEST, "turn {turn}: {length:?} after {longest:?}");
            assert_eq!(lull.next(), None, "once for each look in vain");
            longest = length;
        }
        assert_eq!(longest, LONGEST);
        lull.looked_in_vain();
        lull.gave();
        assert_eq!(lull.next(), None);
        lull.looked_in_vain();
        assert_eq!(lull.next(), Some(FIRST));
    }
}

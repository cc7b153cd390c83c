//! Instants of stored events, which are mostly told by their distance from another, and mostly not asked for.

use super::sevens::Sevens;
use super::time::Timestamp;

/// An instant, reckoned when it is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    At(Timestamp),
    /// So many nanoseconds after another instant, within the years that there are.
    After(i64),
    /// The same, not unpacked yet.
    AfterPacked(Sevens),
}

impl Moment {
    /// The instant, where `base` is what it may come after.
    pub(crate) fn from(self, base: Timestamp) -> Timestamp {
        match self {
            Moment::At(instant) => instant,
            Moment::After(nanoseconds) => moved(base, nanoseconds).unwrap_or(base),
            Moment::AfterPacked(nanoseconds) => moved(base, nanoseconds.unpack_signed()).unwrap_or(base),
        }
    }

    /// Whether all instants that can be told by their distance from one in this second are within the years that there are.
    #[inline(always)]
    pub(crate) fn is_near(unix_seconds: i64) -> bool {
        // 64 bits of nanoseconds reach less than 300 years, or 10 thousand million seconds.
        (-50_000_000_000..240_000_000_000).contains(&unix_seconds)
    }

    /// So many nanoseconds after `base`, or `None` where there is no such instant.
    #[inline]
    pub(crate) fn after(base: Timestamp, nanoseconds: i64) -> Option<Self> {
        if Self::is_near(base.unix_seconds()) {
            Some(Moment::After(nanoseconds))
        } else {
            moved(base, nanoseconds).map(Moment::At)
        }
    }
}

/// The instant so many nanoseconds after `base`, reckoned in 64 bits: division of 128 is slow.
fn moved(base: Timestamp, nanoseconds: i64) -> Option<Timestamp> {
    const SECOND: i64 = 1_000_000_000;
    let within = i64::from(base.subsecond_nanoseconds()) + nanoseconds.rem_euclid(SECOND);
    let seconds = base.unix_seconds() + nanoseconds.div_euclid(SECOND) + within / SECOND;
    Timestamp::checked(seconds, u32::try_from(within % SECOND).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_an_instant_is_adding_nanoseconds() {
        let bases = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX].into_iter();
        let others = [(-1, 999_999_999), (1_700_000_000, 1), (-50_000_000_000, 0), (239_999_999_999, 5)];
        let bases = bases.chain(others.map(|(seconds, rest)| Timestamp::from_unix(seconds, rest).unwrap()));
        let steps = [1, 999_999_999, 1_000_000_000, 1_000_000_001, i64::MAX];
        for base in bases {
            for step in steps.into_iter().chain(steps.map(|step| -step)).chain([0, i64::MIN]) {
                let expected = Timestamp::from_unix_nanoseconds(base.unix_nanoseconds() + i128::from(step)).ok();
                let found = Moment::after(base, step).map(|moment| moment.from(base));
                assert_eq!(found, expected, "{base} and {step}");
            }
        }
    }
}

//! Instants in UTC, to the nanosecond, years 0001 to 9999, and the clocks that tell them.

mod ticks;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds from the Unix epoch to 0001-01-01T00:00:00Z.
const FIRST_SECOND: i64 = -62_135_596_800;
/// Seconds from the Unix epoch to 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;
const NANOS_A_SECOND: i128 = 1_000_000_000;

/// An instant in UTC, to the nanosecond, from year 0001 to year 9999.
///
/// Offsets are applied when text is parsed and not kept: `2024-01-01T02:00:00+02:00` and `2024-01-01T00:00:00Z` are the same
/// `Timestamp`. Text is RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

/// A time that is not RFC 3339 or lies outside the years 0001 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid time {given:?}: {reason}")]
#[non_exhaustive]
pub struct InvalidTime {
    /// What was given.
    pub given: String,
    /// Why it is refused.
    pub reason: String,
}

impl InvalidTime {
    #[cold]
    fn of_unix(seconds: i64, nanoseconds: u32) -> Self {
        if (FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
            return Self { given: format!("{nanoseconds} nanoseconds"), reason: "not below one second".into() };
        }
        Self { given: format!("{seconds} seconds since 1970"), reason: "outside the years 0001 to 9999".into() }
    }
}

impl Timestamp {
    /// 0001-01-01T00:00:00Z, the earliest instant.
    pub const MIN: Timestamp = Timestamp { seconds: FIRST_SECOND, nanoseconds: 0 };
    /// 9999-12-31T23:59:59.999999999Z, the latest instant.
    pub const MAX: Timestamp = Timestamp { seconds: LAST_SECOND, nanoseconds: 999_999_999 };
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp { seconds: 0, nanoseconds: 0 };

    /// The instant `seconds` and `nanoseconds` after the Unix epoch.
    ///
    /// # Errors
    /// [`InvalidTime`] outside the years 0001 to 9999, or with a full second or more of nanoseconds.
    #[inline]
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Result<Self, InvalidTime> {
        Self::checked(seconds, nanoseconds).ok_or_else(|| InvalidTime::of_unix(seconds, nanoseconds))
    }

    /// The same for who needs no reason.
    #[inline(always)]
    pub(crate) fn checked(seconds: i64, nanoseconds: u32) -> Option<Self> {
        let is_valid = (FIRST_SECOND..=LAST_SECOND).contains(&seconds) && nanoseconds < 1_000_000_000;
        is_valid.then_some(Self { seconds, nanoseconds })
    }

    /// Whole seconds since the Unix epoch, rounded down (negative before 1970).
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// The nanoseconds within the second, 0 to 999,999,999.
    #[must_use]
    pub const fn subsecond_nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_milliseconds(self) -> i64 {
        self.seconds * 1_000 + (self.nanoseconds / 1_000_000) as i64
    }

    /// This instant moved by `duration` into the future; held at [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let nanos = self.unix_nanoseconds() + i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / 2);
        Self::from_unix_nanoseconds(nanos).unwrap_or(Self::MAX)
    }

    /// How much later this instant is than `earlier`; zero if it is not.
    #[must_use]
    pub fn saturating_since(self, earlier: Timestamp) -> Duration {
        let nanos = self.unix_nanoseconds() - earlier.unix_nanoseconds();
        u64::try_from(nanos.max(0)).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanoseconds(self) -> i128 {
        self.seconds as i128 * NANOS_A_SECOND + self.nanoseconds as i128
    }

    /// The instant `nanoseconds` after the Unix epoch.
    ///
    /// # Errors
    /// [`InvalidTime`] outside the years 0001 to 9999.
    pub fn from_unix_nanoseconds(nanoseconds: i128) -> Result<Self, InvalidTime> {
        let outside = || InvalidTime {
            given: format!("{nanoseconds} nanoseconds since 1970"),
            reason: "outside the years 0001 to 9999".into(),
        };
        let seconds = i64::try_from(nanoseconds.div_euclid(NANOS_A_SECOND)).map_err(|_| outside())?;
        let rest = u32::try_from(nanoseconds.rem_euclid(NANOS_A_SECOND)).map_err(|_| outside())?;
        Self::from_unix(seconds, rest).map_err(|_| outside())
    }

    /// The system clock's time, cut to the years 0001 to 9999.
    #[must_use]
    pub fn now() -> Self {
        ticks::now().unwrap_or_else(|| Self::try_from(SystemTime::now()).unwrap_or(Self::UNIX_EPOCH))
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = InvalidTime;

    fn try_from(time: SystemTime) -> Result<Self, InvalidTime> {
        let too_far = |_| InvalidTime { given: format!("{time:?}"), reason: "outside the years 0001 to 9999".into() };
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::from_unix(i64::try_from(after.as_secs()).map_err(too_far)?, after.subsec_nanos()),
            Err(before) => {
                let nanos = i128::try_from(before.duration().as_nanos()).map_err(too_far)?;
                Self::from_unix_nanoseconds(-nanos)
            }
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> SystemTime {
        let distance = Duration::new(time.seconds.unsigned_abs(), 0);
        let second = if time.seconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
        second + Duration::from_nanos(u64::from(time.nanoseconds))
    }
}

/// The civil date and time from which Unix time counts.
const EPOCH: jiff::civil::DateTime = jiff::civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let refused = |reason: String| InvalidTime { given: text.into(), reason };
        // jiff's own instant ends a day before the year 9999 does, so the parts are put together here.
        let pieces = jiff::fmt::temporal::Pieces::parse(text).map_err(|error| refused(error.to_string()))?;
        let time = pieces.time().ok_or_else(|| refused("it has no time of day".into()))?;
        let offset = pieces.to_numeric_offset().ok_or_else(|| refused("it has no offset (Z or +hh:mm)".into()))?;
        let civil = pieces.date().to_datetime(time).duration_since(EPOCH).as_nanos();
        Self::from_unix_nanoseconds(civil - i128::from(offset.seconds()) * NANOS_A_SECOND)
            .map_err(|error| refused(error.reason))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since_epoch = jiff::SignedDuration::new(self.seconds, self.nanoseconds.cast_signed());
        let civil = EPOCH.checked_add(since_epoch).map_err(|_| fmt::Error)?;
        write!(f, "{civil}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Tells the time. The store asks once a transaction; events ask at construction.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now. It may jump: the store never lets recorded times go backwards.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still, for tests.
#[doc(alias = "StaticClock")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A clock that moves on by a fixed step at every reading, for tests and imports of history.
#[derive(Debug)]
pub struct SteppingClock {
    start: Timestamp,
    step: Duration,
    readings: AtomicI64,
}

impl SteppingClock {
    /// A clock whose first reading is `start`, the next `start + step`, and so on; held at [`Timestamp::MAX`].
    #[must_use]
    pub fn new(start: Timestamp, step: Duration) -> Self {
        Self { start, step, readings: AtomicI64::new(0) }
    }
}

impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        let reading = self.readings.fetch_add(1, Ordering::Relaxed);
        let step = i128::try_from(self.step.as_nanos()).unwrap_or(i128::from(i64::MAX));
        let nanos = self.start.unix_nanoseconds().saturating_add(step.saturating_mul(i128::from(reading)));
        Timestamp::from_unix_nanoseconds(nanos).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_to_the_nanosecond() {
        for text in ["2005-04-07T22:13:13Z", "2024-02-29T23:59:59.123456789Z", "0001-01-01T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_ends_of_the_range_hold_and_nothing_beyond() {
        assert_eq!("0001-01-01T00:00:00Z".parse::<Timestamp>().unwrap(), Timestamp::MIN);
        assert_eq!(Timestamp::from_unix(LAST_SECOND, 999_999_999).unwrap(), Timestamp::MAX);
        assert!(Timestamp::from_unix(LAST_SECOND + 1, 0).is_err());
        assert!("0000-12-31T23:59:59Z".parse::<Timestamp>().is_err());
        assert!(Timestamp::from_unix(0, 1_000_000_000).is_err());
        let printed = Timestamp::MAX.to_string();
        assert_eq!(printed.parse::<Timestamp>().unwrap(), Timestamp::MAX, "{printed}");
    }

    #[test]
    fn offsets_are_applied() {
        let with_offset: Timestamp = "2024-01-01T02:00:00+02:00".parse().unwrap();
        assert_eq!(with_offset.to_string(), "2024-01-01T00:00:00Z");
    }

    #[test]
    fn times_before_1970_count_backwards() {
        let time: Timestamp = "1969-12-31T23:59:59.5Z".parse().unwrap();
        assert_eq!((time.unix_seconds(), time.subsecond_nanoseconds()), (-1, 500_000_000));
        assert_eq!(Timestamp::try_from(SystemTime::from(time)).unwrap(), time);
    }

    #[test]
    fn a_stepping_clock_steps_and_a_fixed_one_stands() {
        let clock = SteppingClock::new(Timestamp::UNIX_EPOCH, Duration::from_secs(60));
        assert_eq!(clock.now().unix_seconds(), 0);
        assert_eq!(clock.now().unix_seconds(), 60);
        let fixed = FixedClock(Timestamp::MAX);
        assert_eq!((fixed.now(), fixed.now()), (Timestamp::MAX, Timestamp::MAX));
        let before = Timestamp::try_from(SystemTime::now()).unwrap();
        let now = SystemClock.now();
        assert!((before..=Timestamp::now()).contains(&now), "{now}");
    }
}

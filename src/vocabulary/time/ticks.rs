//! A wall clock that asks the system a thousand times a second at most: in between it counts the processor's ticks.
//!
//! Each thread keeps a moment at which it knew both, the system's time and the ticks, and goes on from there for a millisecond.
//! A clock that was stepped is noticed then; one that is slewed is off by half a microsecond at the very most. How long a tick
//! takes is learnt on the way, against the clock that is never stepped. Where ticks are not even the system is asked every time.

use super::Timestamp;
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How long ticks are counted from one look at the system's clock.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// The least time over which the length of a tick is measured.
const MEASURED: Duration = Duration::from_millis(10);
/// Two measures agree when they differ by less than this part: more than the system slews its clock.
const AGREES: u64 = 1 << 10;
/// Looking at both clocks takes no more ticks than this; else the thread was interrupted between them.
const AT_ONCE: u64 = 1_000;
/// A clock that is behind by less was not stepped.
const DRIFT: Duration = Duration::from_micros(10);

/// Whether ticks can be counted: asked once, and withdrawn for good when they turn out not to be even.
static USABLE: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

/// A moment of which both is known, and how to go on from there.
#[derive(Clone, Copy)]
struct Anchor {
    ticks: u64,
    time: Timestamp,
    /// The ticks of the last answer.
    last: u64,
    /// Ticks after which the system is asked again; 0 while the length of a tick is not known.
    good_for: u64,
    /// Nanoseconds of a tick, in units of 2^-32.
    scale: u64,
}

/// Since when the length of a tick is being measured, and what came of it last.
#[derive(Clone, Copy)]
struct Measure {
    since: Option<(Instant, u64)>,
    /// As [`Anchor::scale`]; 0 while nothing was measured.
    scale: u64,
    /// Whether it was measured twice with the same outcome.
    agreed: bool,
}

thread_local! {
    static ANCHOR: Cell<Anchor> =
        const { Cell::new(Anchor { ticks: 0, time: Timestamp::MIN, last: 0, good_for: 0, scale: 0 }) };
    static MEASURE: Cell<Measure> = const { Cell::new(Measure { since: None, scale: 0, agreed: false }) };
}

impl Anchor {
    /// The time at a count of ticks, of the next few seconds.
    fn at(&self, ticks: u64) -> Timestamp {
        let passed = (ticks.wrapping_sub(self.ticks).wrapping_mul(self.scale)) >> 32;
        let nanoseconds = u64::from(self.time.nanoseconds) + passed;
        match u32::try_from(nanoseconds) {
            Ok(nanoseconds) if nanoseconds < 1_000_000_000 => Timestamp { nanoseconds, ..self.time },
            _ => self.time.saturating_add(Duration::from_nanos(passed)),
        }
    }
}

/// The wall clock's time; `None` where the system must be asked.
pub(super) fn now() -> Option<Timestamp> {
    ANCHOR.with(|cell| {
        let mut anchor = cell.get();
        let ticks = ticks();
        // Ticks from before the anchor, of a counter that was set back, are too many here.
        if ticks.wrapping_sub(anchor.ticks) < anchor.good_for {
            anchor.last = anchor.last.max(ticks);
            cell.set(anchor);
            return Some(anchor.at(anchor.last));
        }
        look(cell)
    })
}

/// Looks at the system's clock, and goes on from there.
#[cold]
fn look(cell: &Cell<Anchor>) -> Option<Timestamp> {
    if !usable() {
        return None;
    }
    let (first, steady) = (ticks(), Instant::now());
    let (second, system, third) = (ticks(), SystemTime::now(), ticks());
    let time = Timestamp::try_from(system).ok()?;
    // Answers do not go backwards by what the last count was fast.
    let before = cell.get();
    let answered = before.at(before.last);
    let time = if answered.saturating_since(time) < DRIFT { time.max(answered) } else { time };
    if third.wrapping_sub(first) > AT_ONCE {
        cell.set(Anchor { ticks: second, time, last: second, good_for: 0, scale: 0 });
        return Some(time);
    }
    let scale = measure(steady, first.midpoint(second));
    let good_for = match scale {
        Some(scale) => (u64::try_from(LOOK_AGAIN.as_nanos()).unwrap_or(0) << 32) / scale,
        None => 0,
    };
    let ticks = second.midpoint(third);
    cell.set(Anchor { ticks, time, last: ticks, good_for, scale: scale.unwrap_or(0) });
    Some(time)
}

/// Goes on measuring how long a tick takes. Says it once two measures in a row have agreed.
fn measure(steady: Instant, ticks: u64) -> Option<u64> {
    let mut known = MEASURE.get();
    let Some((since, ticks_then)) = known.since else {
        MEASURE.set(Measure { since: Some((steady, ticks)), ..known });
        return None;
    };
    let passed = steady.saturating_duration_since(since);
    if passed >= MEASURED {
        let counted = ticks.checked_sub(ticks_then).filter(|counted| *counted > 0);
        let scale = counted.and_then(|counted| u64::try_from((passed.as_nanos() << 32) / u128::from(counted)).ok());
        // Ticks of 16 nanoseconds and more are too coarse.
        let Some(scale) = scale.filter(|scale| (1..1 << 36).contains(scale)) else { return withdraw() };
        if known.scale > 0 && scale.abs_diff(known.scale) > known.scale / AGREES {
            return withdraw();
        }
        known = Measure { since: Some((steady, ticks)), scale, agreed: known.scale > 0 };
        MEASURE.set(known);
    }
    known.agreed.then_some(known.scale)
}

/// Ticks are not what they should be: no thread counts them any more.
fn withdraw() -> Option<u64> {
    USABLE.store(NO, Ordering::Relaxed);
    None
}

fn usable() -> bool {
    match USABLE.load(Ordering::Relaxed) {
        UNKNOWN => {
            let even = ticks_are_even();
            USABLE.store(if even { YES } else { NO }, Ordering::Relaxed);
            even
        }
        known => known == YES,
    }
}

/// Whether the processor says that its ticks come evenly, whatever it does.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn ticks_are_even() -> bool {
    use core::arch::x86_64::{__cpuid, CpuidResult};
    const EXTENDED: u32 = 0x8000_0000;
    const POWER: u32 = 0x8000_0007;
    // Newer compilers take it for safe, older ones do not.
    let ask: unsafe fn(u32) -> CpuidResult = __cpuid;
    // SAFETY: every processor of this kind has the instruction. It tells what the processor can do, and touches no memory.
    let about = |what| unsafe { ask(what) };
    about(EXTENDED).eax >= POWER && about(POWER).edx & (1 << 8) != 0
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
fn ticks() -> u64 {
    // SAFETY: every processor of this kind has the instruction. It reads a counter, and touches no memory. A system that forbids
    // it to a process forbids it to the system's own clock too, which reads the same counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn ticks_are_even() -> bool {
    false
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn ticks() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an answer lies between two of the system's, give or take what ticks are off by.
    fn fits(before: SystemTime, answer: Timestamp, after: SystemTime) -> bool {
        let slack = Duration::from_micros(2);
        let (before, after) = (Timestamp::try_from(before).unwrap(), Timestamp::try_from(after).unwrap());
        answer.saturating_add(slack) >= before && answer <= after.saturating_add(slack)
    }

    #[test]
    fn counting_ticks_tells_the_systems_time_and_never_goes_back() {
        let (begun, mut last, mut counted) = (Instant::now(), Timestamp::MIN, 0_u32);
        let mut slept = 0;
        while begun.elapsed() < Duration::from_millis(300) {
            let before = SystemTime::now();
            let Some(answer) = now() else { break };
            let after = SystemTime::now();
            counted += u32::from(ANCHOR.get().last != ANCHOR.get().ticks);
            assert!(fits(before, answer, after), "{answer} at {before:?} to {after:?}");
            assert!(answer >= last, "{answer} after {last}");
            last = answer;
            if begun.elapsed() > Duration::from_millis(100 * (slept + 1)) {
                slept += 1;
                std::thread::sleep(Duration::from_millis(30));
            }
        }
        assert!(counted > 1_000 || !usable() || cfg!(miri), "ticks were counted {counted} times");
    }

    #[test]
    fn an_anchor_carries_over_full_seconds() {
        let time = Timestamp::from_unix(7, 999_999_000).unwrap();
        let anchor = Anchor { ticks: 100, time, last: 100, good_for: 1 << 30, scale: 1 << 33 };
        assert_eq!(anchor.at(100), time);
        assert_eq!(anchor.at(100 + 499), Timestamp::from_unix(7, 999_999_998).unwrap());
        assert_eq!(anchor.at(100 + 500), Timestamp::from_unix(8, 0).unwrap());
        assert_eq!(anchor.at(100 + 700), Timestamp::from_unix(8, 400).unwrap());
    }

    #[test]
    fn uneven_ticks_are_not_counted_any_more() {
        std::thread::spawn(|| {
            let begun = Instant::now();
            let after = |milliseconds| begun + Duration::from_millis(milliseconds);
            assert_eq!(measure(begun, 1_000_000), None);
            assert_eq!(measure(after(5), 11_000_000), None, "too short to be measured");
            assert_eq!(measure(after(10), 21_000_000), None, "measured once");
            let half = 1 << 31;
            assert_eq!(measure(after(20), 41_000_000), Some(half));
            assert_eq!(measure(after(25), 41_000_001), Some(half));
            assert_eq!(measure(after(40), 81_010_000), Some(half - half * 10 / 40_010 - 1), "slewed");
            USABLE.store(YES, Ordering::Relaxed);
            assert_eq!(measure(after(50), 101_110_000), None, "half a percent more");
            assert!(!usable(), "for good");
        })
        .join()
        .unwrap();
    }
}

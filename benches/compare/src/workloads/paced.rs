//! Calls at a steady pace, each timed, and each held against when it was due.

use super::Extent;
use super::append::expect;
use crate::data::Data;
use crate::engine::{Append, Durability, Event, Setting, Version};
use crate::engines::Kind;
use crate::error::Result;
use crate::measure::{Latency, Measured, Watch, histogram};
use std::hint::spin_loop;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a call may take so that its successor is in time: 200,000 calls a second.
const PACE: Duration = Duration::from_micros(5);

/// Makes so many calls, one when each is due or when the one before is done, whichever is later. The figure is what 9,999 of
/// 10,000 calls do not exceed. How far behind its time each was done is kept beside it: what waits behind a slow call is late.
///
/// # Errors
/// The first of any call.
pub fn paced(events: u64, mut call: impl FnMut(u64) -> Result<()>) -> Result<Measured> {
    let (mut taken, mut late) = (histogram()?, histogram()?);
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let watch = Watch::start();
    let begun = Instant::now();
    for number in 0..events {
        let due = begun + Duration::from_nanos(number * PACE.as_nanos() as u64);
        let mut before = Instant::now();
        while before < due {
            spin_loop();
            before = Instant::now();
        }
        call(number)?;
        let after = Instant::now();
        taken.saturating_record(nanoseconds(after - before));
        late.saturating_record(nanoseconds(after - due));
    }
    let measured = watch.rate(events);
    let latency = Latency::of(&taken);
    Ok(Measured {
        value: latency.p9999,
        reached: Some(measured.value),
        latency: Some(latency),
        late: Some(Latency::of(&late)),
        // Most of it went into waiting for the next call's time.
        cpu_ns: None,
        ..measured
    })
}

/// Appends one event a call.
pub fn append(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let engine = kind.open(&Setting { directory, durability: Durability::Os, threads: 1, data })?;
    let mut versions = vec![Version::default(); data.streams.len()];
    let measured = paced(extent.events as u64, |number| {
        let stream = data.stream(usize::try_from(number).unwrap_or_default());
        let events = [Event { name: &data.event_name, payload: data.payload(number) }];
        let expected = Some(versions[stream.number]);
        versions[stream.number] = engine.append(&Append { stream, expected, events: &events })?;
        Ok(())
    })?;
    expect("the log", engine.read_log()?, data.log(extent.events))?;
    engine.close()?;
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_behind_a_slow_call_is_late() {
        let slow = Duration::from_millis(3);
        let measured = paced(300, |number| {
            if number == 5 {
                std::thread::sleep(slow);
            }
            Ok(())
        });
        let Measured { latency: Some(taken), late: Some(late), .. } = measured.unwrap() else {
            unreachable!("both are measured");
        };
        assert!(taken.max >= 3_000.0 && late.max >= taken.max, "{taken:?} {late:?}");
        // One of 300 was slow; half of them were still behind.
        assert!(taken.p50 < 1_000.0 && late.p50 > 1_000.0, "{taken:?} {late:?}");
    }
}

//! Benchmark of what rotations cost those who append: how long calls took, with a rotation every mebibyte and with none.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/events.rs"]
mod events;
#[path = "support/percentiles.rs"]
mod percentiles;
mod support;

use percentiles::Percentiles;
use std::hint::spin_loop;
use std::time::{Duration, Instant};
use stratalog::{Durability, EventStore, Options};

/// Bytes of a segment, with many rotations and with none.
const SEGMENTS: [(&str, u64); 2] = [("with rotations", 1 << 20), ("without", 256 << 20)];
/// Bytes of each payload.
const PAYLOAD: usize = 256;

fn main() {
    let share = if support::is_test() { 100 } else { 1 };
    let interval = Durability::Interval(Duration::from_millis(100));
    for (name, bytes) in SEGMENTS {
        // As fast as it goes, segments cannot be made ready in time; at a pace they can.
        measure(&format!("rotation/Os, {name}"), Durability::Os, bytes, 400_000 / share, Duration::ZERO);
        measure(
            &format!("rotation/Os, 100,000/s, {name}"),
            Durability::Os,
            bytes,
            400_000 / share,
            Duration::from_micros(10),
        );
        measure(
            &format!("rotation/Interval, 100,000/s, {name}"),
            interval,
            bytes,
            400_000 / share,
            Duration::from_micros(10),
        );
        measure(&format!("rotation/Sync, {name}"), Durability::Sync, bytes, 20_000 / share, Duration::ZERO);
    }
}

/// Appends so many events, one when each is due, and prints how long the calls took: all of them, and the slowest, of which there
/// are as many as rotations.
fn measure(name: &str, durability: Durability, segment: u64, calls: u32, pace: Duration) {
    let directory = support::directory();
    let mut options = Options::new().durability(durability);
    (options.segment_bytes_first, options.segment_bytes_max) = (segment, segment);
    let store = EventStore::open_with(directory.path(), options).unwrap();
    let stream = store.stream("category", "stream");
    let event = events::event(PAYLOAD);
    let mut times = Vec::with_capacity(usize::try_from(calls).unwrap());
    let begun = Instant::now();
    for call in 0..calls {
        let due = begun + pace * call;
        let mut before = Instant::now();
        while before < due {
            spin_loop();
            before = Instant::now();
        }
        stream.publish([event.clone()]).unwrap();
        times.push(before.elapsed());
    }
    let rotations = usize::try_from(store.stats().unwrap().segments).unwrap() - 1;
    assert_eq!(store.revision().unwrap().get(), u64::from(calls));
    store.close().unwrap();

    times.sort_unstable();
    let of = |times: &[Duration]| {
        let mut all = Percentiles::new();
        times.iter().for_each(|time| all.record(*time));
        all
    };
    let (others, slowest) = times.split_at(times.len() - rotations.min(times.len()));
    let (mut all, slowest) = (of(others), of(slowest));
    all.add(&slowest);
    all.print(name);
    slowest.print(&format!("{name}: the slowest"));
}

//! Appends that are synced before they are acknowledged, by one thread or many.

use super::Extent;
use super::flushes::flushes;
use super::footprint::Footprint;
use crate::data::Data;
use crate::engine::{Append, Durability, Engine, Event, Setting, Version};
use crate::engines::Kind;
use crate::error::{Error, Result};
use crate::gather::Gather;
use crate::measure::{Latency, Measured, Watch, histogram};
use hdrhistogram::Histogram;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What threads append to.
pub trait Client: Sync {
    /// Appends the event to the stream, and returns when it is on disk.
    ///
    /// # Errors
    /// When it is not.
    fn append(&self, stream: usize, expected: Version, event: u64) -> Result<Version>;

    /// How many syncs that took, where it is known.
    fn syncs(&self) -> Option<u64>;
}

/// An engine that is called by each thread.
struct Direct<'a> {
    engine: &'a dyn Engine,
    data: &'a Data,
}

impl Client for Direct<'_> {
    fn append(&self, stream: usize, expected: Version, event: u64) -> Result<Version> {
        let events = [Event { name: &self.data.event_name, payload: self.data.payload(event) }];
        let stream = &self.data.streams[stream];
        self.engine.append(&Append { stream, expected: Some(expected), events: &events })
    }

    fn syncs(&self) -> Option<u64> {
        None
    }
}

/// An append that waits for others.
struct Item {
    stream: usize,
    expected: Version,
    event: u64,
}

/// An engine without group commit of its own, whose appends are gathered into one commit.
struct Gathered<'a> {
    engine: &'a dyn Engine,
    data: &'a Data,
    gather: Gather<Item, Result<Version>>,
}

impl Client for Gathered<'_> {
    fn append(&self, stream: usize, expected: Version, event: u64) -> Result<Version> {
        let work = |items: Vec<Item>| {
            let event = |item: &Item| [Event { name: &self.data.event_name, payload: self.data.payload(item.event) }];
            let events: Vec<_> = items.iter().map(event).collect();
            let mut appends = Vec::with_capacity(items.len());
            for (item, events) in items.iter().zip(&events) {
                let stream = &self.data.streams[item.stream];
                appends.push(Append { stream, expected: Some(item.expected), events });
            }
            match self.engine.append_many(&appends) {
                Ok(answers) => answers,
                Err(error) => {
                    let why = error.to_string();
                    items.iter().map(|_| Err(Error::Broken(why.clone()))).collect()
                }
            }
        };
        let answer = self.gather.submit(Item { stream, expected, event }, work);
        answer.unwrap_or_else(|| Err(Error::Broken("an append was not answered".to_owned())))
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.gather.batches())
    }
}

/// Appends one event a call from so many threads to an empty store.
pub fn append(kind: Kind, data: &Data, extent: Extent, threads: usize, directory: &Path) -> Result<Measured> {
    let engine = kind.open(&Setting { directory, durability: Durability::Sync, threads, data })?;
    let measured = if threads == 1 || engine.shares_syncs() {
        durable(&Direct { engine: &*engine, data }, data, extent, threads, directory)?
    } else {
        durable(&Gathered { engine: &*engine, data, gather: Gather::new() }, data, extent, threads, directory)?
    };
    let found = engine.read_log()?;
    if found.events != measured.events {
        return Err(Error::Broken(format!("{} of {} acknowledged events are there", found.events, measured.events)));
    }
    engine.close()?;
    Ok(measured.with_footprint(Footprint::of(directory)?))
}

/// Lets so many threads append at once, each to streams of its own, and times each call.
///
/// # Errors
/// The first of any thread; the others end then.
pub fn durable(client: &dyn Client, data: &Data, extent: Extent, threads: usize, directory: &Path) -> Result<Measured> {
    let (start, stop) = (Barrier::new(threads + 1), AtomicBool::new(false));
    let (histogram, mut measured) = std::thread::scope(|scope| {
        let spawn = |thread| {
            let (start, stop) = (&start, &stop);
            scope.spawn(move || {
                start.wait();
                let done = calls(client, data, extent, (thread, threads), stop);
                if done.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                done
            })
        };
        let running: Vec<_> = (0..threads).map(spawn).collect();
        let before = flushes(directory);
        start.wait();
        let watch = Watch::start();
        let mut all = histogram()?;
        for thread in running {
            let one = thread.join().map_err(|_| Error::Broken("a thread panicked".to_owned()))??;
            all.add(one).map_err(|error| Error::Broken(error.to_string()))?;
        }
        let mut measured = watch.rate(all.len());
        let flushed = flushes(directory).zip(before).map(|(after, before)| after.saturating_sub(before));
        measured.events_a_flush = flushed.filter(|count| *count > 0).map(|count| all.len() as f64 / count as f64);
        Ok::<_, Error>((all, measured))
    })?;
    measured.latency = Some(Latency::of(&histogram));
    measured.events_a_sync =
        client.syncs().filter(|syncs| *syncs > 0).map(|syncs| measured.events as f64 / syncs as f64);
    Ok(measured)
}

fn calls(
    client: &dyn Client,
    data: &Data,
    extent: Extent,
    share: (usize, usize),
    stop: &AtomicBool,
) -> Result<Histogram<u64>> {
    let (thread, threads) = share;
    let own: Vec<usize> = (thread..data.streams.len()).step_by(threads).collect();
    if own.is_empty() {
        return Err(Error::Broken(format!("{} streams are too few for {threads} threads", data.streams.len())));
    }
    let mut versions = vec![Version::default(); own.len()];
    let mut random = fastrand::Rng::with_seed(thread as u64);
    let mut histogram = histogram()?;
    let begun = Instant::now();
    for call in 0..extent.events.div_ceil(threads) {
        let place = random.usize(..own.len());
        let before = Instant::now();
        if before - begun > extent.time || stop.load(Ordering::Relaxed) {
            break;
        }
        versions[place] = client.append(own[place], versions[place], (call * threads + thread) as u64)?;
        histogram.saturating_record(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(histogram)
}

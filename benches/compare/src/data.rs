//! The data of a comparison: the same streams, payloads and order for every engine, and what reading them must give.

use std::sync::Arc;

/// Name of every event: 20 bytes.
pub const EVENT_NAME: &str = "something-happened-x";

/// Bytes of the pool that payloads are cut from: more than compressors look back within one block.
const POOL: usize = 1 << 20;

/// One stream.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its place among all.
    pub number: usize,
    /// Its category, 20 bytes.
    pub category: Arc<str>,
    /// Its name, 20 bytes.
    pub name: Arc<str>,
}

/// What a read gave: enough to hold engines against each other, and cheap enough not to be what is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// How many events.
    pub events: u64,
    /// Bytes of all payloads.
    pub bytes: u64,
    /// Over all bytes of all payloads, in order.
    pub checksum: u64,
}

impl Tally {
    /// Counts one more event in. Every byte of the payload is read; the order of events counts.
    #[inline]
    pub fn add(&mut self, payload: &[u8]) {
        let (words, rest) = payload.as_chunks::<8>();
        let mut sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
        for (place, byte) in rest.iter().enumerate() {
            sum = sum.wrapping_add(u64::from(*byte) << (8 * place));
        }
        self.events += 1;
        self.bytes += payload.len() as u64;
        self.checksum = self.checksum.rotate_left(7).wrapping_add(sum);
    }
}

fn stream(categories: &[Arc<str>], number: usize) -> Stream {
    let category = Arc::clone(&categories[number % categories.len()]);
    Stream { number, category, name: format!("stream-{number:013}").into() }
}

/// The data of one comparison.
pub struct Data {
    /// All streams; stream `n` is in category `n % categories`.
    pub streams: Vec<Stream>,
    /// Names of the categories.
    pub categories: Vec<Arc<str>>,
    /// The name of every event.
    pub event_name: Arc<str>,
    /// For each event, the stream it belongs to. Made before anything is timed.
    pub order: Vec<u32>,
    pool: Vec<u8>,
    payload: usize,
}

impl Data {
    /// Data of so many events, spread evenly: of each run of `streams` events, every stream gets one, in random order.
    pub fn new(events: usize, streams: usize, categories: usize, payload: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(20);
        let categories: Vec<Arc<str>> = (0..categories.max(1)).map(|n| format!("category-{n:011}").into()).collect();
        let streams: Vec<Stream> = (0..streams.max(1)).map(|number| stream(&categories, number)).collect();
        let mut turn: Vec<u32> = (0..u32::try_from(streams.len()).unwrap_or(u32::MAX)).collect();
        let mut order = Vec::with_capacity(events + turn.len());
        while order.len() < events {
            random.shuffle(&mut turn);
            order.extend_from_slice(&turn);
        }
        order.truncate(events);
        let mut pool = vec![0; POOL + payload];
        random.fill(&mut pool);
        Self { streams, categories, event_name: EVENT_NAME.into(), order, pool, payload }
    }

    /// So many streams beyond those that there are.
    pub fn more_streams(&self, first: usize, count: usize) -> Vec<Stream> {
        let first = self.streams.len() + first;
        (first..first + count).map(|number| stream(&self.categories, number)).collect()
    }

    /// Bytes of each payload.
    pub fn payload_bytes(&self) -> usize {
        self.payload
    }

    /// The payload of an event: random bytes, which do not compress.
    #[inline]
    pub fn payload(&self, event: u64) -> &[u8] {
        // An odd multiple of eight visits all places of the pool before it comes back to the first.
        let place = (event.wrapping_mul(8 * 7_919) % POOL as u64) as usize;
        &self.pool[place..place + self.payload]
    }

    /// The stream of an event.
    #[inline]
    pub fn stream(&self, event: usize) -> &Stream {
        &self.streams[self.order[event] as usize]
    }

    /// What the whole log gives once the first `events` are in it.
    pub fn log(&self, events: usize) -> Tally {
        let mut tally = Tally::default();
        (0..events as u64).for_each(|event| tally.add(self.payload(event)));
        tally
    }

    /// What each stream gives once all events are in.
    pub fn by_stream(&self) -> Vec<Tally> {
        self.by(self.streams.len(), |stream| stream)
    }

    /// What each category gives once all events are in.
    pub fn by_category(&self) -> Vec<Tally> {
        self.by(self.categories.len(), |stream| stream % self.categories.len())
    }

    fn by(&self, count: usize, of: impl Fn(usize) -> usize) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); count];
        for (event, stream) in self.order.iter().enumerate() {
            tallies[of(*stream as usize)].add(self.payload(event as u64));
        }
        tallies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_sees_order_content_and_length() {
        let of = |payloads: &[&[u8]]| {
            let mut tally = Tally::default();
            payloads.iter().for_each(|payload| tally.add(payload));
            tally
        };
        assert_ne!(of(&[b"first", b"other"]), of(&[b"other", b"first"]));
        assert_ne!(of(&[b"12345678-a"]), of(&[b"12345678-b"]));
        assert_ne!(of(&[b"a\0"]), of(&[b"a"]));
    }

    #[test]
    fn events_are_spread_evenly() {
        let data = Data::new(1_000, 100, 10, 256);
        assert!(data.by_stream().iter().all(|tally| tally.events == 10));
        assert!(data.by_category().iter().all(|tally| tally.events == 100 && tally.bytes == 25_600));
        assert_eq!(data.log(1_000).events, 1_000);
        assert_ne!(data.payload(0), data.payload(1));
    }
}

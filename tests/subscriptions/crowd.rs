//! Twenty subscribers against four writers, through rotations, cancels and restarts: every event exactly once, in order.

use super::*;
use fastrand::Rng;
use std::sync::Mutex;
use std::thread::ScopedJoinHandle;
use stratalog::{Cancellation, Durability, Options, Payload, StoredEvent};

const WRITERS: u64 = 4;
/// Subscribers of each kind.
const EACH: usize = 5;
/// Transactions of a writer.
const TRANSACTIONS: usize = 300;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Log,
    Category,
    Stream,
    Selector,
}

const KINDS: [Kind; 4] = [Kind::Log, Kind::Category, Kind::Stream, Kind::Selector];

/// What one of the twenty follows.
#[derive(Debug, Clone, Copy)]
struct Follower {
    kind: Kind,
    which: usize,
}

impl Follower {
    fn subscribe(self, store: &EventStore) -> Subscription {
        let [category, stream, name] = ["category", "stream", "name"].map(|what| format!("{what}-{}", self.which));
        match self.kind {
            Kind::Log => store.log().subscribe(),
            Kind::Category => store.category(category).subscribe(),
            Kind::Stream => store.stream(category, stream).subscribe(),
            Kind::Selector => store.subscribe(
                Selector::name(name).and(Selector::category_prefix("category-")).or(Selector::stream(stream)),
            ),
        }
    }

    /// Said once more, without what is under test.
    fn is_meant(self, event: &StoredEvent) -> bool {
        let is = |text: &str| text.ends_with(&format!("-{}", self.which));
        match self.kind {
            Kind::Log => true,
            Kind::Category => is(event.category()),
            Kind::Stream => is(event.category()) && is(event.stream()),
            Kind::Selector => is(event.name()) || is(event.stream()),
        }
    }

    /// Follows from the first event to the last, in many lives. Says the numbers of what it was given, and how many lives it had.
    fn follow(
        self,
        store: &EventStore,
        calls: &Mutex<Option<Cancellation>>,
        end: &AtomicU64,
        seed: u64,
    ) -> (Vec<u64>, u64) {
        let mut random = Rng::with_seed(seed);
        let (mut given, mut place, mut lives) = (Vec::new(), SequenceNumber::new(0), 0);
        let is_done = |place: SequenceNumber| place.get() >= end.load(Ordering::Acquire);
        while !is_done(place) {
            let mut subscription = self.subscribe(store).from(place);
            *calls.lock().unwrap() = Some(subscription.cancellation());
            lives += 1;
            for _ in 0..random.usize(1..200) {
                let next = match random.u8(..4) {
                    0 => subscription.try_next(),
                    // What ends it is being called off.
                    1 => subscription.next().map_or(Err(ReadError::Cancelled), |event| event.map(Some)),
                    _ => subscription.next_within(Duration::from_micros(random.u64(..3_000))),
                };
                match next {
                    Ok(Some(event)) => given.push(event.sequence_number().get()),
                    Ok(None) if is_done(subscription.checkpoint()) => break,
                    Ok(None) => {}
                    Err(ReadError::Cancelled) => break,
                    Err(error) => panic!("{self:?}: {error}"),
                }
            }
            place = subscription.checkpoint();
        }
        (given, lives)
    }
}

/// Appends transactions of one to four events in streams of any category, with pauses.
fn write(store: &EventStore, seed: u64) {
    let mut random = Rng::with_seed(seed);
    let payload = Payload::binary(vec![7; 160]);
    for _ in 0..TRANSACTIONS {
        let mut append = transaction();
        for _ in 0..random.usize(1..=4) {
            let [category, stream, name] =
                ["category", "stream", "name"].map(|what| format!("{what}-{}", random.usize(..EACH + 2)));
            append = append.stream(category, stream, [NewEvent::from_payload(name, payload.clone())]);
        }
        store.append(append).unwrap();
        thread::sleep(Duration::from_micros(random.u64(..300)));
    }
}

fn is_over<T>(threads: &[ScopedJoinHandle<'_, T>]) -> bool {
    threads.iter().all(ScopedJoinHandle::is_finished)
}

/// Lets all of them loose on a store.
fn crowd(store: &EventStore, seed: u64) {
    let followers: Vec<Follower> =
        KINDS.into_iter().flat_map(|kind| (0..EACH).map(move |which| Follower { kind, which })).collect();
    let calls: Vec<Mutex<Option<Cancellation>>> = followers.iter().map(|_| Mutex::new(None)).collect();
    let end = AtomicU64::new(u64::MAX);
    let mut random = Rng::with_seed(seed);
    let mut cancels = 0;
    let followed: Vec<(Vec<u64>, u64)> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(store, seed + writer))).collect();
        let following: Vec<_> = followers
            .iter()
            .zip(&calls)
            .zip(seed..)
            .map(|((follower, calls), seed)| {
                let end = &end;
                scope.spawn(move || follower.follow(store, calls, end, seed))
            })
            .collect();
        let begun = Instant::now();
        while !is_over(&following) {
            if is_over(&writers) && end.load(Ordering::Relaxed) == u64::MAX {
                end.store(store.revision().unwrap().get(), Ordering::Release);
            }
            if begun.elapsed() > FOR_EVER {
                // Whoever has missed something would wait for it until the end of time: it is seen below.
                end.store(0, Ordering::Release);
            }
            if let Some(cancellation) = calls[random.usize(..calls.len())].lock().unwrap().as_ref() {
                cancels += u64::from(!cancellation.is_cancelled());
                cancellation.cancel();
            }
            thread::sleep(Duration::from_micros(random.u64(..800)));
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        following.into_iter().map(|follower| follower.join().unwrap()).collect()
    });
    let events = store.log().read().unwrap();
    assert!(events.len() > 1_200, "{} events", events.len());
    for (follower, (given, lives)) in followers.iter().zip(&followed) {
        let meant = events.iter().filter(|event| follower.is_meant(event));
        let meant: Vec<u64> = meant.map(|event| event.sequence_number().get()).collect();
        let differs = given.iter().zip(&meant).position(|(given, meant)| given != meant);
        assert!(differs.is_none(), "{follower:?}: at {differs:?} of {} events", meant.len());
        assert_eq!(given.len(), meant.len(), "{follower:?}");
        assert!(*lives > 1 && meant.len() > 20, "{follower:?}: {lives} lives, {} events", meant.len());
    }
    assert!(cancels > 40, "{cancels} were called off");
}

/// The same on a log of small segments.
fn crowd_on_the_log(durability: Durability, seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new().durability(durability).segment_bytes(16 << 10, 16 << 10);
    let store = EventStore::open_with(directory.path(), options).unwrap();
    crowd(&store, seed);
    let segments = store.stats().unwrap().segments;
    assert!(segments > 20, "{segments} segments");
}

#[test]
fn twenty_miss_nothing_and_get_nothing_twice_in_memory() {
    crowd(&EventStore::in_memory(), 1);
}

#[test]
fn twenty_miss_nothing_and_get_nothing_twice_with_sync() {
    crowd_on_the_log(Durability::Sync, 2);
}

#[test]
fn twenty_miss_nothing_and_get_nothing_twice_with_an_interval() {
    crowd_on_the_log(Durability::Interval(Duration::from_millis(3)), 3);
}

#[test]
fn twenty_miss_nothing_and_get_nothing_twice_in_the_page_cache() {
    crowd_on_the_log(Durability::Os, 4);
}

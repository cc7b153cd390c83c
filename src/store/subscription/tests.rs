//! Tests of subscriptions on a disk that fails.

use super::*;
use crate::adapters::log::LogAdapter;
use crate::disk::{Disk, MemoryFiles, SimulatedDisk};
use crate::store::EventStore;
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::options::{Durability, Options};

/// A store on a disk whose power can be switched off.
fn store(durability: Durability) -> (EventStore, Arc<SimulatedDisk>) {
    let disk = Arc::new(SimulatedDisk::new(MemoryFiles::new(), 1));
    let below: Arc<dyn Disk> = disk.clone();
    let adapter = LogAdapter::open_on(below, &Options::new().durability(durability)).unwrap();
    (EventStore::new(adapter), disk)
}

fn publish(store: &EventStore, events: usize) -> Result<(), AppendError> {
    let events = (0..events).map(|_| NewEvent::empty("n"));
    store.stream("c", "s").publish(events).map(drop)
}

/// Appends until the store has noticed that its disk is gone.
fn poison(store: &EventStore, disk: &SimulatedDisk) {
    drop(disk.kill(false));
    while publish(store, 1).is_ok() {}
    assert!(matches!(publish(store, 1), Err(AppendError::Poisoned { .. })));
}

#[test]
fn one_that_waits_hears_of_poison() {
    for durability in [Durability::Sync, Durability::Os] {
        let (store, disk) = store(durability);
        publish(&store, 3).unwrap();
        let subscriptions =
            [store.log().subscribe(), store.category("c").subscribe(), store.subscribe(Selector::name("n"))];
        let threads = subscriptions.map(|subscription| {
            let numbers = subscription.map(|event| event.map(|event| event.sequence_number().get()));
            std::thread::spawn(move || numbers.collect::<Vec<_>>())
        });
        std::thread::sleep(Duration::from_millis(50));
        poison(&store, &disk);
        let visible: Vec<u64> = (0..store.revision().unwrap().get()).collect();
        for thread in threads {
            let told: Vec<Result<u64, ReadError>> = thread.join().unwrap();
            let (last, events) = told.split_last().unwrap();
            let given: Vec<u64> = events.iter().map(|event| *event.as_ref().unwrap()).collect();
            assert_eq!(given, visible, "{durability:?}");
            assert!(matches!(last, Err(ReadError::Poisoned { .. })), "{last:?}");
        }
    }
}

#[test]
fn what_is_visible_comes_before_poison_is_told() {
    let (store, disk) = store(Durability::Sync);
    publish(&store, 600).unwrap();
    let mut subscription = store.log().subscribe();
    poison(&store, &disk);
    for number in 0..600 {
        assert_eq!(subscription.try_next().unwrap().unwrap().sequence_number().get(), number);
    }
    for _ in 0..2 {
        let error = subscription.next_within(Duration::from_secs(60)).unwrap_err();
        assert!(matches!(error, ReadError::Poisoned { .. }), "{error}");
    }
    assert!(subscription.next().is_none());
    let again = store.log().subscribe().from(SequenceNumber::new(598));
    assert_eq!(again.map_while(Result::ok).count(), 2);
}

//! A writer that stands still in the writer's seat: readers of the log go on beside it, and other appenders are told in time.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use stratalog::{
    AppendError, Condition, Durability, EventStore, NewEvent, Options, Position, Receipt, Result, Retry, Revision,
    SequenceNumber, StoredEvent, SystemRecord, transaction,
};

/// How long an appender waits for the seat.
const DEADLINE: Duration = Duration::from_secs(1);

/// How long what must not wait may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a check on a log on disk that syncs each append, and on one that does not.
fn on_logs(check: impl Fn(&EventStore)) {
    for durability in [Durability::Sync, Durability::Os] {
        let directory = tempfile::tempdir().unwrap();
        let options = Options::new().durability(durability).append_deadline(DEADLINE);
        check(&EventStore::open_with(directory.path(), options).unwrap());
    }
}

/// Does `work` while an append to stream (`c`, `frozen`) stands still in the writer's seat; then lets that go on.
fn beside_a_frozen_writer<T: Send>(store: &EventStore, work: impl FnOnce() -> T + Send) -> (T, Receipt) {
    let (enter, entered) = channel();
    let (release, released) = channel();
    let released = Mutex::new(released);
    let (finish, finished) = channel();
    let frozen = Condition::custom("stands still in the seat", move |_| {
        enter.send(()).unwrap();
        // In the end it goes on by itself, so that a test that fails does not hang.
        released.lock().unwrap().recv_timeout(2 * PATIENCE).is_ok()
    });
    thread::scope(|scope| {
        let writer = scope.spawn(|| store.stream("c", "frozen").publish_if([NewEvent::empty("late")], frozen));
        entered.recv_timeout(PATIENCE).unwrap();
        scope.spawn(move || finish.send(work()));
        let outcome = finished.recv_timeout(PATIENCE);
        release.send(()).unwrap();
        let receipt = writer.join().unwrap().unwrap();
        // A timeout here means that the work waited for the frozen writer.
        (outcome.unwrap(), receipt)
    })
}

/// Three events in two streams of a category and one in another, the last two in a transaction with an id and a record.
fn fill(store: &EventStore) {
    store.stream("c", "s").publish([NewEvent::empty("one"), NewEvent::empty("two")]).unwrap();
    let both = transaction().id("t").record(SystemRecord::set("n", "k", "v"));
    let both = both.stream("c", "frozen", [NewEvent::empty("three")]).stream("d", "s", [NewEvent::empty("four")]);
    store.append(both).unwrap();
}

fn names(events: Vec<StoredEvent>) -> Vec<String> {
    events.iter().map(|event| event.name().to_owned()).collect()
}

/// Reads everything that can be read, and checks that it is what `fill` wrote.
fn read_everything(store: &EventStore) -> Result<()> {
    let (log, category, stream) = (store.log(), store.category("c"), store.stream("c", "s"));
    assert_eq!(names(log.read()?), ["one", "two", "three", "four"]);
    assert_eq!(names(category.read()?), ["one", "two", "three"]);
    assert_eq!(names(stream.read()?), ["one", "two"]);
    assert_eq!(names(store.stream("c", "frozen").read()?), ["three"]);
    assert_eq!(names(log.scan().after(SequenceNumber::new(0)).reverse().limit(2).read()?), ["four", "three"]);
    assert_eq!(names(category.scan().reverse().read()?), ["three", "two", "one"]);
    assert_eq!(names(stream.scan().from_position(Position::new(1)).read()?), ["two"]);
    let mut lent = Vec::new();
    log.scan().visit(|event| lent.push(event.name().to_owned()))?;
    assert_eq!(lent.len(), 4);
    assert_eq!(log.latest()?.unwrap().name(), "four");
    assert_eq!(category.latest()?.unwrap().name(), "three");
    assert_eq!(stream.latest()?.unwrap().name(), "two");
    assert_eq!(store.categories()?, ["c", "d"]);
    assert_eq!(category.streams()?, ["frozen", "s"]);
    assert_eq!(store.revision()?.get(), 4);
    assert_eq!(store.stats()?.events, 4);
    assert!(store.durable_revision().get() <= 4);
    assert_eq!(store.transactions(Revision::EMPTY)?.count(), 2);
    assert_eq!(store.transaction("t")?.unwrap().events().len(), 2);
    assert_eq!(store.record("n", "k")?.unwrap(), "v");
    assert_eq!(store.records("n")?.len(), 1);
    Ok(())
}

#[test]
fn every_read_goes_on_beside_it() {
    on_logs(|store| {
        fill(store);
        let mut begun = store.log().into_iter();
        assert_eq!(begun.next().unwrap().unwrap().name(), "one");
        let (rest, receipt) = beside_a_frozen_writer(store, || {
            read_everything(store).unwrap();
            names(begun.map(std::result::Result::unwrap).collect())
        });
        assert_eq!(rest, ["two", "three", "four"], "a scan that was begun before goes on, too");
        assert_eq!((receipt.basis().get(), receipt.last_position()), (4, Some(Position::new(1))));
        assert_eq!(names(store.stream("c", "frozen").read().unwrap()), ["three", "late"]);
    });
}

#[test]
fn an_appender_beside_it_times_out_and_writes_nothing() {
    on_logs(|store| {
        fill(store);
        let append = || store.stream("elsewhere", "s").publish([NewEvent::empty("never")]);
        let (outcome, receipt) = beside_a_frozen_writer(store, append);
        let error = outcome.unwrap_err();
        let AppendError::TimedOut { waited } = error else { panic!("{error}") };
        assert!((DEADLINE..PATIENCE).contains(&waited), "{waited:?}");
        assert_eq!((error.retry(), error.is_unknown()), (Retry::Safe, false));
        assert_eq!(receipt.basis().get(), 4);
        assert_eq!(store.stream("elsewhere", "s").read().unwrap(), []);
        assert_eq!(append().unwrap().basis().get(), 5, "the same call succeeds once the seat is free");
    });
}

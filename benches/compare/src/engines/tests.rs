//! One round trip for each engine: conditions hold, reads give what was written, and a reopened store shows the same.

use super::{Kind, Part};
use crate::data::{Data, Tally};
use crate::engine::{Append, Durability, Engine, Event, Setting, Version};
use crate::error::Error;
use crate::workloads::Workload;

const EVENTS: usize = 60;

fn data() -> Data {
    Data::new(EVENTS, 6, 2, 100)
}

fn open(
    kind: Kind,
    data: &Data,
    directory: &std::path::Path,
    durability: Durability,
    threads: usize,
) -> Box<dyn Engine> {
    kind.open(&Setting { directory, durability, threads, data }).unwrap()
}

/// Appends all events one by one, each under the version that its stream has.
fn fill(engine: &dyn Engine, data: &Data) -> Vec<Version> {
    let mut versions = vec![Version::default(); data.streams.len()];
    for number in 0..EVENTS {
        let stream = data.stream(number);
        let event = [Event { name: &data.event_name, payload: data.payload(number as u64) }];
        let expected = versions[stream.number];
        let version = engine.append(&Append { stream, expected: Some(expected), events: &event }).unwrap();
        assert_eq!(version.events, expected.events + 1);
        versions[stream.number] = version;
    }
    versions
}

fn assert_reads(kind: Kind, engine: &dyn Engine, data: &Data) {
    assert_eq!(engine.read_log().unwrap(), data.log(EVENTS));
    for (stream, expected) in data.streams.iter().zip(data.by_stream()) {
        assert_eq!(engine.read_stream(stream).unwrap(), expected, "{}", stream.name);
    }
    for (category, expected) in data.categories.iter().zip(data.by_category()) {
        match kind.part_in(Workload::ReadCategory) {
            Part::NotComparable(_) => {
                assert!(matches!(engine.read_category(category), Err(Error::NotComparable(_))));
            }
            Part::LeftOut(why) => unreachable!("{why}"),
            Part::Measured(_) | Part::Same => assert_eq!(engine.read_category(category).unwrap(), expected),
        }
    }
}

fn round_trip(kind: Kind) {
    for durability in [Durability::Os, Durability::Sync] {
        let directory = tempfile::tempdir().unwrap();
        let data = data();
        let engine = open(kind, &data, directory.path(), durability, 1);
        let versions = fill(&*engine, &data);
        // A stream that has moved on refuses, and nothing of the append is there.
        let events = [Event { name: &data.event_name, payload: b"refused" }; 2];
        for stale in [Version::default(), Version { events: versions[3].events - 1, last: versions[3].last - 1 }] {
            let append = Append { stream: &data.streams[3], expected: Some(stale), events: &events };
            assert!(matches!(engine.append(&append), Err(Error::Conflict)), "{stale:?}");
        }
        assert_reads(kind, &*engine, &data);
        engine.close().unwrap();

        let engine = open(kind, &data, directory.path(), durability, 1);
        assert_reads(kind, &*engine, &data);
        // Several events go in one step, onto what was there before.
        let payloads: [&[u8]; 3] = [b"one", b"two and more", b"three"];
        let events = payloads.map(|payload| Event { name: &data.event_name, payload });
        let append = Append { stream: &data.streams[3], expected: Some(versions[3]), events: &events };
        assert_eq!(engine.append(&append).unwrap().events, versions[3].events + 3);
        assert!(matches!(engine.append(&append), Err(Error::Conflict)));
        let mut expected = data.by_stream()[3];
        let mut log = data.log(EVENTS);
        payloads.iter().for_each(|payload| {
            expected.add(payload);
            log.add(payload);
        });
        assert_eq!(engine.read_stream(&data.streams[3]).unwrap(), expected);
        assert_eq!(engine.read_log().unwrap(), log);
        engine.close().unwrap();
    }
}

/// Many appends together are as many alone: in order, and each refused alone.
fn many(kind: Kind) {
    let directory = tempfile::tempdir().unwrap();
    let data = data();
    let engine = open(kind, &data, directory.path(), Durability::Sync, 100);
    let events: Vec<_> =
        (0..EVENTS).map(|n| [Event { name: &data.event_name, payload: data.payload(n as u64) }]).collect();
    let append = |n: usize| Append { stream: data.stream(n), expected: None, events: &events[n] };
    let appends: Vec<_> = (0..EVENTS).map(append).collect();
    assert!(engine.append_many(&appends).unwrap().iter().all(Result::is_ok));
    assert_reads(kind, &*engine, &data);

    let refused = Append { expected: Some(Version::default()), ..append(1) };
    let outcomes = engine.append_many(&[append(0), refused, append(2)]).unwrap();
    assert!(matches!(outcomes[..], [Ok(_), Err(Error::Conflict), Ok(_)]), "{outcomes:?}");
    let mut log = data.log(EVENTS);
    log.add(data.payload(0));
    log.add(data.payload(2));
    assert_eq!(engine.read_log().unwrap(), log);
    assert_ne!(engine.read_log().unwrap(), Tally::default());
    engine.close().unwrap();
}

macro_rules! engines {
    ($($name:ident: $kind:ident),* $(,)?) => {
        $(mod $name {
            use super::*;

            #[test]
            fn keeps_conditions_order_and_content() {
                round_trip(Kind::$kind);
            }

            #[test]
            fn takes_many_at_once() {
                many(Kind::$kind);
            }
        })*

        #[test]
        fn every_engine_is_tested() {
            assert_eq!([$(Kind::$kind),*], Kind::ALL);
        }
    };
}

engines! {
    stratalog: Stratalog,
    stratalog_handles: StratalogHandles,
    stratalog_unchecked: StratalogUnchecked,
    tephra: Tephra,
    umadb: UmaDb,
    sierradb: SierraDb,
    sqlite: Sqlite,
    sqlite_off: SqliteOff,
    heed: Heed,
    heed_writemap: HeedWritemap,
    redb: Redb,
    fjall: Fjall,
}

#[test]
fn what_cannot_be_compared_says_why() {
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(kind));
        for workload in Workload::ALL {
            if let Part::NotComparable(why) | Part::LeftOut(why) = kind.part_in(workload) {
                assert!(why.len() > 20, "{}", kind.name());
            }
        }
        let os = kind.part_in(Workload::Append100Os);
        assert_eq!(matches!(os, Part::NotComparable(_)), !kind.can_leave_syncs());
    }
}

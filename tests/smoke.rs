//! Temporary smoke test of the engine.
use stratalog::*;
#[test]
fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    for durability in [Durability::Sync, Durability::Os, Durability::Interval(std::time::Duration::from_millis(5))] {
        let path = dir.path().join(format!("{durability:?}"));
        let options = || Options::new().durability(durability).segment_bytes(16 << 10, 64 << 10);
        let n = 2_000u64;
        {
            let store = EventStore::open_with(&path, options()).unwrap();
            for i in 0..n {
                let stream = store.stream("c", format!("s{}", i % 7));
                let r = stream
                    .publish_if(
                        [NewEvent::new("n", &i).unwrap()],
                        position_is(if i < 7 { None } else { Some(Position::new(i / 7 - 1)) }),
                    )
                    .unwrap();
                assert_eq!(r.basis().get(), i);
            }
            println!("{:?}", store.stats().unwrap());
            assert!(matches!(EventStore::open_with(&path, options()), Err(OpenError::AlreadyOpen { .. })));
        }
        let report = verify(&path, &mut |_| {}).unwrap();
        println!("{report:?}");
        assert_eq!(report.verdict, Verdict::Clean);
        let store = EventStore::open_with(&path, options()).unwrap();
        let all = store.log().read().unwrap();
        assert_eq!(all.len() as u64, n);
        for (i, e) in all.iter().enumerate() {
            assert_eq!(e.decode::<u64>().unwrap(), i as u64);
        }
        let mut rev = store.log().scan().reverse().read().unwrap();
        rev.reverse();
        assert_eq!(rev, all);
        assert_eq!(store.stream("c", "s3").read().unwrap().len(), 286);
        assert_eq!(
            store.stream("c", "s3").scan().from_position(Position::new(280)).reverse().limit(2).read().unwrap()[1]
                .position()
                .get(),
            284
        );
        assert_eq!(store.transactions(Revision::EMPTY).unwrap().count() as u64, n);
    }
}

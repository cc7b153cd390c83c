//! Tests of conditions under many threads at once.

use super::*;
use stratalog::{must_not_exist, retry_on_conflict, unchanged_since};

const THREADS: u64 = 8;
const ACCOUNTS: u64 = 10;

fn account(number: u64) -> (String, Selector) {
    let stream = format!("acc-{number}");
    let selector = Selector::category("accounts") & Selector::stream(&*stream);
    (stream, selector)
}

fn moved(stream: &str, cents: i64) -> ProspectiveEvent {
    ProspectiveEvent::new("accounts", "moved", &cents).unwrap().with_stream(stream)
}

fn balance(at: &DatabaseAt, selector: &Selector) -> i64 {
    at.query(selector.clone()).into_iter().map(|event| event.unwrap().decode::<i64>().unwrap()).sum()
}

#[test]
fn one_of_many_is_the_first() {
    on_both(|database, _| {
        for round in 0..50 {
            let key = || Selector::category("accounts") & Selector::stream(format!("acc-{round}"));
            let open = |_| {
                let opened = event("accounts", &format!("acc-{round}"), "opened");
                match database.transact(Proposal::new([opened]).when(must_not_exist(key()))) {
                    Ok(_) => 1,
                    Err(error) => {
                        assert!(error.is_conflict(), "{error}");
                        0
                    }
                }
            };
            let won: u64 = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || open(thread))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(won, 1, "round {round}");
        }
    });
}

#[test]
fn no_transfer_is_lost() {
    on_both(|database, _| {
        let opened = (0..ACCOUNTS).map(|number| moved(&account(number).0, 1_000));
        database.transact(opened.collect::<Proposal>()).unwrap();
        let transfer = |random: &mut fastrand::Rng| {
            let (from, to) = (random.u64(0..ACCOUNTS), random.u64(0..ACCOUNTS - 1));
            let ((from, debited), (to, credited)) = (account(from), account(if to < from { to } else { to + 1 }));
            let moving = || -> stratalog::Result<()> {
                let now = database.latest()?;
                let cents = balance(&now, &debited) / 2;
                let whole = Proposal::new([moved(&from, -cents), moved(&to, cents)])
                    .when(unchanged_since(debited.clone(), now.revision()))
                    .when(unchanged_since(credited.clone(), now.revision()));
                database.transact(whole)?;
                Ok(())
            };
            retry_on_conflict(1_000, moving).unwrap();
        };
        std::thread::scope(|scope| {
            for seed in 0..THREADS {
                let transfer = &transfer;
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    (0..25).for_each(|_| transfer(&mut random));
                });
            }
        });
        let now = database.latest().unwrap();
        assert_eq!(now.revision().get(), ACCOUNTS + 2 * 25 * THREADS);
        let mut random = fastrand::Rng::with_seed(9);
        for _ in 0..20 {
            let asked = revision(random.u64(1..=now.revision().get()));
            let then = database.at_revision(asked, AT_ONCE).unwrap();
            let sum: i64 = (0..ACCOUNTS).map(|number| balance(&then, &account(number).1)).sum();
            assert_eq!(sum, 1_000 * ACCOUNTS as i64, "at revision {asked}, which is {}", then.revision());
            assert!((0..ACCOUNTS).all(|number| balance(&then, &account(number).1) >= 0));
        }
    });
}

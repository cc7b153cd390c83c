//! Tests of many who decide at once: no update is lost, and the money adds up at every revision.

use super::*;
use bank::{Open, Transfer};
use std::time::Duration;
use stratalog::{ChangeDefinition, ExecuteError, Revision, StateChangeError, StateChangeRequest, ViewDefinition};

const ACCOUNTS: u64 = 12;
const START: i64 = 100;
const THREADS: u64 = 8;
const TRANSFERS: u64 = 60;

/// One thread's transfers, each under an id, and each sent twice. Gives how many were carried out.
fn transfers(database: &Database, thread: u64) -> u64 {
    let mut dice = Dice(thread);
    let mut carried_out = 0;
    for number in 0..TRANSFERS {
        let from = dice.below(ACCOUNTS);
        let to = (from + 1 + dice.below(ACCOUNTS - 1)) % ACCOUNTS;
        let cents = 1 + dice.below(60) as i64;
        let transfer = Transfer { from: format!("acc-{from}"), to: format!("acc-{to}"), cents };
        let request = StateChangeRequest::new().json(&transfer).unwrap();
        let request = request.transaction_id(format!("{thread}-{number}")).retries(10_000);
        match database.execute_state_change("transfer", 1, &request) {
            Ok(first) => {
                carried_out += 1;
                assert_eq!(first.receipt.as_ref().unwrap().count(), 2);
                let again = database.execute_state_change("transfer", 1, &request).unwrap();
                assert!(again.is_repeat() && again.receipt == first.receipt);
            }
            Err(ExecuteError::Refused(StateChangeError::Conflict(_))) => {}
            Err(error) => panic!("{error}"),
        }
    }
    carried_out
}

#[test]
fn eight_threads_move_money_and_it_adds_up_at_every_revision() {
    on_both(|database| {
        database.register_view::<Account>("account", ViewDefinition::new(of_account())).unwrap();
        database.register_view::<Account>("total", ViewDefinition::new(accounts())).unwrap();
        database.register_change::<Open>("open", ChangeDefinition::new()).unwrap();
        database.register_change::<Transfer>("transfer", ChangeDefinition::new()).unwrap();
        for number in 0..ACCOUNTS {
            let name = format!("acc-{number}");
            let request = StateChangeRequest::new().json(&Open { account: name.clone() }).unwrap();
            database.execute_state_change("open", 1, &request).unwrap();
            database.transact([deposited(&name, START)]).unwrap();
        }
        let opened = database.store().revision().unwrap().get();
        let carried_out: u64 = std::thread::scope(|scope| {
            let database = &database;
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || transfers(database, thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(carried_out > 0);
        let last = database.store().revision().unwrap().get();
        assert_eq!(last, opened + 2 * carried_out, "each was carried out once, and none was lost");
        let total = ACCOUNTS as i64 * START;
        let mut dice = Dice(11);
        for _ in 0..100 {
            // Also in the midst of a transfer, which is at its end.
            let revision = opened + dice.below(last - opened + 1);
            let at = database.at_revision(Revision::new(revision), Duration::ZERO).unwrap();
            let of_all = at.view_state::<Account>("total", 1, ()).unwrap().unwrap().data.cents;
            assert_eq!(of_all, total, "at revision {revision}");
        }
        let now = database.latest().unwrap();
        let each = (0..ACCOUNTS).map(|number| {
            let name = format!("acc-{number}");
            now.view_state::<Account>("account", 1, account(&name)).unwrap().unwrap().data.cents
        });
        let each: Vec<i64> = each.collect();
        assert_eq!(each.iter().sum::<i64>(), total);
        assert!(each.iter().all(|cents| *cents >= 0), "none was overdrawn: {each:?}");
    });
}

//! A bank: conditions, a projector, deciding again after a conflict, and a transaction over two accounts.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example shows and asserts")]

use serde::{Deserialize, Serialize};
use stratalog::{
    Error, EventStore, EventStream, NewEvent, Projection, Projector, Receipt, Result, position_is, retry_on_conflict,
    stream_exists, stream_is_empty, transaction,
};

#[derive(Serialize, Deserialize)]
struct Opened {
    owner: String,
}

#[derive(Serialize, Deserialize)]
struct Moved {
    cents: i64,
}

#[derive(Debug, Default, PartialEq)]
struct Account {
    owner: String,
    cents: i64,
}

impl Account {
    fn open(&mut self, opened: Opened) {
        self.owner = opened.owner;
    }

    fn credit(&mut self, deposited: Moved) {
        self.cents += deposited.cents;
    }

    // A handler may refuse: history that cannot be is an error, not a negative balance.
    fn debit(&mut self, withdrawn: Moved) -> std::result::Result<(), String> {
        self.cents -= withdrawn.cents;
        if self.cents < 0 { Err(format!("{} is overdrawn", self.owner)) } else { Ok(()) }
    }
}

struct Bank {
    store: EventStore,
    accounts: Projector<Account>,
}

impl Bank {
    fn new(store: EventStore) -> Self {
        let accounts = Projector::new()
            .on("account-opened", Account::open)
            .on("money-deposited", Account::credit)
            .on("money-withdrawn", Account::debit);
        Self { store, accounts }
    }

    fn stream(&self, id: &str) -> EventStream {
        self.store.stream("accounts", id)
    }

    fn account(&self, id: &str) -> Result<Projection<Account>> {
        Ok(self.accounts.project(Account::default(), self.stream(id))?)
    }

    /// Opens an account; a second time is a conflict.
    fn open(&self, id: &str, owner: &str) -> Result<Receipt> {
        let opened = NewEvent::new("account-opened", &Opened { owner: owner.into() })?;
        Ok(self.stream(id).publish_if([opened], stream_is_empty())?)
    }

    fn deposit(&self, id: &str, cents: i64) -> Result<Receipt> {
        let deposited = NewEvent::new("money-deposited", &Moved { cents })?;
        Ok(self.stream(id).publish_if([deposited], stream_exists())?)
    }

    /// Withdraws if there is enough: reads, decides, and appends only if nothing came in between; else decides anew.
    fn withdraw(&self, id: &str, cents: i64) -> Result<Option<Receipt>> {
        retry_on_conflict(100, || {
            let account = self.account(id)?;
            if account.state().cents < cents {
                return Ok(None);
            }
            let withdrawn = NewEvent::new("money-withdrawn", &Moved { cents })?;
            Ok(Some(self.stream(id).publish_if([withdrawn], position_is(account.position()))?))
        })
    }

    /// Moves money between two accounts, all or nothing. The transfer's id makes a retry harmless, also after a crash.
    fn transfer(&self, id: &str, from: &str, to: &str, cents: i64) -> Result<Receipt> {
        let source = self.account(from)?;
        let transfer = transaction()
            .id(id)
            .attribute("correlation", id)
            .stream_if(
                "accounts",
                from,
                [NewEvent::new("money-withdrawn", &Moved { cents })?],
                position_is(source.position()),
            )
            .stream_if("accounts", to, [NewEvent::new("money-deposited", &Moved { cents })?], stream_exists());
        Ok(self.store.append(transfer)?)
    }
}

fn main() -> Result<()> {
    // In memory for now: with `EventStore::open(directory)?` everything below is the same on disk.
    let bank = Bank::new(EventStore::in_memory());
    bank.open("acc-42", "Ada")?;
    bank.open("acc-43", "Grace")?;
    let again = bank.open("acc-42", "Mallory").unwrap_err();
    assert!(again.is_conflict());
    println!("opening acc-42 again: {again}");

    bank.deposit("acc-42", 500)?;
    assert!(bank.withdraw("acc-42", 200)?.is_some());
    assert!(bank.withdraw("acc-42", 1_000)?.is_none(), "there is not enough");

    // Eight tellers withdraw 100 each from 300 at the same time: three get it, whoever is faster.
    let paid: usize = std::thread::scope(|scope| {
        let tellers: Vec<_> = (0..8).map(|_| scope.spawn(|| bank.withdraw("acc-42", 100))).collect();
        tellers.into_iter().map(|teller| teller.join().unwrap()).collect::<Result<Vec<_>>>()
    })?
    .iter()
    .flatten()
    .count();
    assert_eq!((paid, bank.account("acc-42")?.state().cents), (3, 0));
    println!("{paid} of 8 tellers paid out");

    bank.deposit("acc-42", 700)?;
    let first = bank.transfer("transfer-7", "acc-42", "acc-43", 100)?;
    assert!(!first.is_repeat() && first.count() == 2);
    // Sent again, as after a lost answer: same content, so the first receipt comes back, and nothing is written.
    assert!(bank.transfer("transfer-7", "acc-42", "acc-43", 100)?.is_repeat());
    // The same id for something else is refused.
    let other = bank.transfer("transfer-7", "acc-42", "acc-43", 999).unwrap_err();
    assert!(matches!(&other, Error::Append(error) if !error.is_conflict()));
    println!("another transfer-7: {other}");

    for id in bank.store.category("accounts").streams()? {
        let account = bank.account(&id)?;
        println!("{id}: {} has {} cents", account.state().owner, account.state().cents);
    }
    assert_eq!(bank.account("acc-42")?.state(), &Account { owner: "Ada".into(), cents: 600 });
    assert_eq!(bank.account("acc-43")?.state(), &Account { owner: "Grace".into(), cents: 100 });
    for event in bank.store.log().scan().reverse().limit(2) {
        let event = event?;
        println!("{} {}/{} {}", event.sequence_number(), event.category(), event.stream(), event.name());
    }
    Ok(())
}

//! A bank as a database: a view by account, state changes under conditions, and eight tellers at once. The money adds up.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example shows and asserts")]

use serde::{Deserialize, Serialize};
use serde_json::json;
use stratalog::{
    ChangeDefinition, Database, DatabaseReader, DatabaseSource, DecideResult, Event, EventStore, EvolveError,
    ExecuteError, FieldValue, Json, ProspectiveEvent, Result, Selector, SelectorTemplate, StateChange,
    StateChangeError, StateChangeMetadata, StateChangeRequest, StateView, ViewDefinition, ViewState, must_exist,
    must_not_exist, parameter, unchanged_since,
};

/// What is in an account.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct AccountSummary {
    owner: String,
    cents: i64,
    transactions: u64,
}

impl StateView for AccountSummary {
    type Codec = Json;

    fn evolve_event(&mut self, event: &Event) -> std::result::Result<(), EvolveError> {
        match event.name() {
            "account-opened" => self.owner = event.decode()?,
            "money-deposited" => self.cents += event.decode::<i64>()?,
            "money-withdrawn" => self.cents -= event.decode::<i64>()?,
            _ => return Ok(()),
        }
        self.transactions += 1;
        Ok(())
    }
}

fn account(id: &str) -> Selector {
    Selector::category("accounts") & Selector::stream(id)
}

fn event<T: Serialize + ?Sized>(id: &str, name: &str, payload: &T) -> Result<ProspectiveEvent> {
    Ok(ProspectiveEvent::json("accounts", name, payload)?.with_stream(id))
}

/// An account that is there, with the revision of its last event.
fn summary(
    database: &dyn DatabaseReader,
    id: &str,
) -> std::result::Result<ViewState<AccountSummary>, StateChangeError> {
    let summary = database.view_state::<AccountSummary>("account-summary", 1, [("account", FieldValue::stream(id))])?;
    let summary = summary.filter(|summary| summary.data.transactions > 0);
    summary.ok_or_else(|| StateChangeError::not_found(format!("there is no account {id}")))
}

#[derive(Deserialize)]
struct OpenAccount {
    account: String,
    owner: String,
}

impl StateChange for OpenAccount {
    type Command = Self;

    fn decide(_: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
        let opened = event(&command.account, "account-opened", &command.owner)?;
        Ok(([opened], [must_not_exist(account(&command.account))]).into())
    }
}

#[derive(Deserialize)]
struct Move {
    account: String,
    cents: i64,
}

impl Move {
    fn check(&self) -> std::result::Result<(), StateChangeError> {
        if self.cents > 0 { Ok(()) } else { Err(StateChangeError::validation("the amount must be positive")) }
    }
}

struct Deposit;

impl StateChange for Deposit {
    type Command = Move;

    // Deposits get in nobody's way: all that must be is that there is such an account.
    fn decide(_: &dyn DatabaseReader, command: Move, _: &StateChangeMetadata) -> DecideResult {
        command.check()?;
        let deposited = event(&command.account, "money-deposited", &command.cents)?;
        Ok(([deposited], [must_exist(account(&command.account))]).into())
    }
}

struct Withdraw;

impl StateChange for Withdraw {
    type Command = Move;

    fn decide(database: &dyn DatabaseReader, command: Move, _: &StateChangeMetadata) -> DecideResult {
        command.check()?;
        let source = summary(database, &command.account)?;
        if source.data.cents < command.cents {
            return Err(StateChangeError::conflict(format!("{} has not enough", command.account)));
        }
        let withdrawn = event(&command.account, "money-withdrawn", &command.cents)?;
        Ok(([withdrawn], [unchanged_since(account(&command.account), source.revision)]).into())
    }
}

#[derive(Deserialize)]
struct Transfer {
    from: String,
    to: String,
    cents: i64,
}

impl StateChange for Transfer {
    type Command = Self;

    // Two accounts under one set of conditions: the one pays only if nothing came in between, the other must be there.
    fn decide(database: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
        let Self { from, to, cents } = command;
        let source = summary(database, &from)?;
        summary(database, &to)?;
        if source.data.cents < cents {
            return Err(StateChangeError::conflict(format!("{from} has not enough")));
        }
        let events = [event(&from, "money-withdrawn", &cents)?, event(&to, "money-deposited", &cents)?];
        Ok((events, [unchanged_since(account(&from), source.revision), must_exist(account(&to))]).into())
    }
}

fn bank(store: EventStore) -> Result<Database> {
    let bank = Database::new(store, DatabaseSource::new("https://events.example", "bank")?)?;
    let by_account = SelectorTemplate::category("accounts") & SelectorTemplate::stream(parameter("account"));
    bank.register_view::<AccountSummary>("account-summary", ViewDefinition::new(by_account))?;
    bank.register_change::<OpenAccount>("open-account", ChangeDefinition::new())?;
    bank.register_change::<Deposit>("deposit", ChangeDefinition::new())?;
    bank.register_change::<Withdraw>("withdraw", ChangeDefinition::new())?;
    bank.register_change::<Transfer>("transfer", ChangeDefinition::new())?;
    Ok(bank)
}

/// The summary of an account as it is now.
fn look(bank: &Database, id: &str) -> Result<AccountSummary> {
    let parameters = [("account", FieldValue::stream(id))];
    let summary = bank.latest()?.view_state::<AccountSummary>("account-summary", 1, parameters)?;
    Ok(summary.map(|summary| summary.data).unwrap_or_default())
}

const ACCOUNTS: u64 = 10;
const TELLERS: u64 = 8;
const TRANSFERS: u64 = 100;

/// One teller's transfers. Gives how many were carried out; the others were refused for want of money.
fn teller(bank: &Database, number: u64) -> Result<u64> {
    let (mut dice, mut carried_out) = (number, 0);
    let mut throw = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for transfer in 0..TRANSFERS {
        let from = throw(ACCOUNTS);
        let to = (from + 1 + throw(ACCOUNTS - 1)) % ACCOUNTS;
        let command = json!({ "from": format!("acc-{from}"), "to": format!("acc-{to}"), "cents": 1 + throw(400) });
        // The id makes a repeat harmless; who was not the fastest decides again.
        let request = StateChangeRequest::new()
            .json(&command)?
            .transaction_id(format!("transfer-{number}-{transfer}"))
            .retries(1_000);
        match bank.execute_state_change("transfer", 1, &request) {
            Ok(_) => carried_out += 1,
            Err(ExecuteError::Refused(StateChangeError::Conflict(_))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(carried_out)
}

fn main() -> Result<()> {
    // In memory for now: with `EventStore::open(directory)?` everything below is the same on disk.
    let bank = bank(EventStore::in_memory())?;
    for number in 0..ACCOUNTS {
        let id = format!("acc-{number}");
        let open = StateChangeRequest::new().json(&json!({ "account": id, "owner": format!("Owner {number}") }))?;
        bank.execute_state_change("open-account", 1, &open)?;
        let again = bank.execute_state_change("open-account", 1, &open).unwrap_err();
        assert!(again.is_conflict(), "an account is opened once");
        let deposit = StateChangeRequest::new().json(&json!({ "account": id, "cents": 1_000 }))?;
        bank.execute_state_change("deposit", 1, &deposit)?;
    }
    let greedy = StateChangeRequest::new().json(&json!({ "account": "acc-0", "cents": 1_001 }))?;
    println!("withdrawing too much: {}", bank.execute_state_change("withdraw", 1, &greedy).unwrap_err());
    let odd = StateChangeRequest::new().body("<deposit/>").content_type("application/xml");
    println!("speaking XML: {}", bank.execute_state_change("deposit", 1, &odd).unwrap_err());

    let begun = bank.latest()?.revision();
    let carried_out: Vec<Result<u64>> = std::thread::scope(|scope| {
        let bank = &bank;
        let tellers: Vec<_> = (0..TELLERS).map(|number| scope.spawn(move || teller(bank, number))).collect();
        tellers.into_iter().map(|teller| teller.join().unwrap()).collect()
    });
    let carried_out: u64 = carried_out.into_iter().sum::<Result<u64>>()?;
    let now = bank.latest()?;
    println!("{carried_out} of {} transfers were carried out, by {TELLERS} tellers at once", TELLERS * TRANSFERS);
    assert_eq!(now.revision().get(), begun.get() + 2 * carried_out, "none was lost");

    let mut sum = 0;
    for number in 0..ACCOUNTS {
        let summary = look(&bank, &format!("acc-{number}"))?;
        println!("{}: {} cents after {} events", summary.owner, summary.cents, summary.transactions);
        assert!(summary.cents >= 0, "nobody is overdrawn");
        sum += summary.cents;
    }
    assert_eq!(sum, 1_000 * ACCOUNTS as i64, "the money adds up");

    // What would be if Owner 0 got a present.
    let would_be = now.speculate([event("acc-0", "money-deposited", &5_000)?])?;
    let parameters = [("account", FieldValue::stream("acc-0"))];
    let rich = would_be.view_state::<AccountSummary>("account-summary", 1, parameters)?.unwrap();
    assert_eq!(rich.data.cents, look(&bank, "acc-0")?.cents + 5_000, "which nobody wrote");
    Ok(())
}

//! The bank that the tests are about: views of accounts, and what can be done with them.

use serde::{Deserialize, Serialize};
use stratalog::{
    DatabaseReader, DecideResult, Event, EvolveError, FieldValue, Json, ProspectiveEvent, Selector, SelectorTemplate,
    StateChange, StateChangeError, StateChangeMetadata, StateView, must_exist, must_not_exist, parameter,
    unchanged_since,
};

/// All accounts.
pub fn accounts() -> Selector {
    Selector::category("accounts")
}

/// One account, by the parameter `account`.
pub fn of_account() -> SelectorTemplate {
    SelectorTemplate::category("accounts") & SelectorTemplate::stream(parameter("account"))
}

/// What is in an account, or in all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub cents: i64,
    pub events: u64,
}

impl StateView for Account {
    type Codec = Json;

    fn evolve_event(&mut self, event: &Event) -> Result<(), EvolveError> {
        match event.name() {
            "deposited" => self.cents += event.decode::<i64>()?,
            "withdrawn" => self.cents -= event.decode::<i64>()?,
            "never" => return Err("this event cannot be".into()),
            "panic" => panic!("the view does not like {}", event.revision()),
            _ => {}
        }
        self.events += 1;
        Ok(())
    }
}

/// Which events came, in which order: a state that tells every other order from its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace(pub Vec<(u64, String)>);

impl StateView for Trace {
    type Codec = Json;

    fn evolve_event(&mut self, event: &Event) -> Result<(), EvolveError> {
        self.0.push((event.revision().get(), event.name().to_owned()));
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
pub struct Open {
    pub account: String,
}

impl StateChange for Open {
    type Command = Self;

    fn decide(_: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
        let account = accounts() & Selector::stream(&*command.account);
        let opened = ProspectiveEvent::empty("accounts", "opened").with_stream(command.account);
        Ok(([opened], [must_not_exist(account)]).into())
    }
}

#[derive(Serialize, Deserialize)]
pub struct Deposit {
    pub account: String,
    pub cents: i64,
}

impl StateChange for Deposit {
    type Command = Self;

    fn decide(_: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
        if command.cents <= 0 {
            return Err(StateChangeError::validation("the amount must be positive"));
        }
        let account = accounts() & Selector::stream(&*command.account);
        let deposited = ProspectiveEvent::json("accounts", "deposited", &command.cents)?.with_stream(command.account);
        Ok(([deposited], [must_exist(account)]).into())
    }
}

#[derive(Serialize, Deserialize)]
pub struct Transfer {
    pub from: String,
    pub to: String,
    pub cents: i64,
}

impl StateChange for Transfer {
    type Command = Self;

    /// Looks at one account and touches two; the condition is on the one that must not go below nothing.
    fn decide(database: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
        let Transfer { from, to, cents } = command;
        let of =
            |name: &str| [("account", FieldValue::stream(name))].into_iter().collect::<stratalog::ViewParameters>();
        let Some(source) = database.view_state::<Account>("account", 1, of(&from))? else {
            return Err(StateChangeError::internal("there is no view of accounts"));
        };
        let known = database.view_state::<Account>("account", 1, of(&to))?;
        if source.data.events == 0 || known.is_none_or(|known| known.data.events == 0) {
            return Err(StateChangeError::not_found("no such account"));
        }
        if source.data.cents < cents {
            return Err(StateChangeError::conflict("there is not enough in the account"));
        }
        let unchanged = unchanged_since(accounts() & Selector::stream(&*from), source.revision);
        let moved = |name: &str, account: String| {
            Ok::<_, StateChangeError>(ProspectiveEvent::json("accounts", name, &cents)?.with_stream(account))
        };
        Ok(([moved("withdrawn", from)?, moved("deposited", to)?], [unchanged]).into())
    }
}

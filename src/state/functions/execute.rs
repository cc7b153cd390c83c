//! Executing a state change: decide at one revision, append under the conditions decided, and decide again where that is asked.

use super::change::{DecideFailure, Decision, StateChangeMetadata};
use super::command::Command;
use super::registry::RegisteredChange;
use super::request::StateChangeRequest;
use crate::state::database::{Database, DatabaseAt};
use crate::vocabulary::append_condition::AppendCondition;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::condition::panic_message;
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::error::AppendError;
use crate::vocabulary::function_error::ExecuteError;
use crate::vocabulary::number::Revision;
use crate::vocabulary::proposal::Proposal;
use crate::vocabulary::transaction::{Receipt, StoredTransaction, Transaction, transaction};
use crate::vocabulary::transaction_error::TransactionError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// The attribute of a transaction that names the state change that decided it.
const NAME: &str = "statechange";

/// The attribute that has its version.
const VERSION: &str = "statechangeversion";

/// The attribute that has the revision at which it was decided.
const DECIDED_AT: &str = "lastreadrevision";

/// The attribute that tells a repeat of a command from another one.
const DIGEST: &str = "commanddigest";

/// What became of a state change that was carried out.
#[doc(alias = "StateChangeResult")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Executed {
    /// The revision that `decide` saw, the last time that it ran.
    pub decided_at: Revision,
    /// What was appended; none where there were no events.
    pub receipt: Option<Receipt>,
    /// How often it was decided again.
    pub retries: u32,
}

impl Executed {
    /// The revision that has what was decided: the transaction's, or where nothing was written the one at which it was decided.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.receipt.as_ref().map_or(self.decided_at, Receipt::revision)
    }

    /// Whether the same request was carried out before, and nothing was decided or written now.
    #[must_use]
    pub fn is_repeat(&self) -> bool {
        self.receipt.as_ref().is_some_and(Receipt::is_repeat)
    }
}

impl Database {
    /// Carries out a state change: runs its code on the database as it is now, and appends the events that it decides, if the
    /// conditions that it decides hold then.
    ///
    /// - Where the request has a transaction id that the database has, with the same command to the same state change, the first
    ///   result is returned; nothing is decided, nor written.
    /// - Where it has a last seen revision, that is waited for. By itself it makes no condition.
    /// - Where a condition does not hold, it is decided again on the newer database, as often as the request says.
    /// - Without events nothing is written, and the id is not remembered; the conditions are checked all the same.
    ///
    /// The transaction says in attributes what decided it (`statechange`, `statechangeversion`), at which revision
    /// (`lastreadrevision`), and where it has an id, by which command (`commanddigest`).
    ///
    /// ```
    /// use serde::Deserialize;
    /// use serde_json::json;
    /// use stratalog::{
    ///     must_not_exist, ChangeDefinition, Database, DatabaseReader, DatabaseSource, DecideResult, EventStore,
    ///     ProspectiveEvent, Selector, StateChange, StateChangeError, StateChangeMetadata, StateChangeRequest,
    /// };
    ///
    /// #[derive(Deserialize)]
    /// struct OpenAccount {
    ///     account: String,
    ///     owner: String,
    /// }
    ///
    /// impl StateChange for OpenAccount {
    ///     type Command = Self;
    ///
    ///     fn decide(database: &dyn DatabaseReader, command: Self, _: &StateChangeMetadata) -> DecideResult {
    ///         let account = Selector::category("accounts") & Selector::stream(&*command.account);
    ///         if !database.query(account.clone())?.is_empty() {
    ///             return Err(StateChangeError::conflict("there is such an account"));
    ///         }
    ///         let opened = ProspectiveEvent::json("accounts", "opened", &command.owner)?.with_stream(command.account);
    ///         Ok(([opened], [must_not_exist(account)]).into())
    ///     }
    /// }
    ///
    /// # fn main() -> stratalog::Result<()> {
    /// let source = DatabaseSource::new("https://events.example", "bank")?;
    /// let database = Database::new(EventStore::in_memory(), source)?;
    /// database.register_change::<OpenAccount>("open-account", ChangeDefinition::new())?;
    ///
    /// let request = StateChangeRequest::new().json(&json!({ "account": "acc-42", "owner": "Ada" }))?;
    /// let opened = database.execute_state_change("open-account", 1, &request)?;
    /// assert_eq!((opened.decided_at.get(), opened.revision().get()), (0, 1));
    /// let again = database.execute_state_change("open-account", 1, &request).unwrap_err();
    /// assert_eq!(again.to_string(), "conflict: there is such an account");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ExecuteError::NotFound`], [`ExecuteError::Inactive`]; [`ExecuteError::Refused`] for what its code says,
    /// [`ExecuteError::Panicked`] and [`ExecuteError::Failed`] where it does not come to that; [`ExecuteError::Database`] when
    /// the last seen revision is not reached in time, and as [`Database::transact`]: a conflict of conditions that is left after
    /// all retries, a transaction id that was used for another command.
    pub fn execute_state_change(
        &self,
        name: &str,
        version: u64,
        request: &StateChangeRequest,
    ) -> Result<Executed, ExecuteError> {
        let change = self.functions().changes.get(name, version);
        let change = change.ok_or_else(|| ExecuteError::NotFound { name: name.into(), version })?;
        if !change.is_active() {
            return Err(ExecuteError::Inactive { name: change.shared_name(), version });
        }
        Execution::new(self, &change, request).run()
    }
}

/// One request on its way through a state change.
struct Execution<'a> {
    database: &'a Database,
    change: &'a Arc<RegisteredChange>,
    request: &'a StateChangeRequest,
    command: Command,
    metadata: StateChangeMetadata,
    /// What tells the command, where there is an id by which it may come again.
    digest: Option<Arc<str>>,
}

impl<'a> Execution<'a> {
    fn new(database: &'a Database, change: &'a Arc<RegisteredChange>, request: &'a StateChangeRequest) -> Self {
        let command = request.command();
        let metadata = StateChangeMetadata {
            last_seen_revision: request.last_seen,
            headers: request.headers().to_vec(),
            ..StateChangeMetadata::new(change.shared_name(), change.version(), database.store().now())
        };
        let digest = request.transaction_id.as_ref().map(|_| digest(change, &command));
        Self { database, change, request, command, metadata, digest }
    }

    fn run(&self) -> Result<Executed, ExecuteError> {
        if self.request.last_seen > Revision::EMPTY {
            self.database.at_revision(self.request.last_seen, self.request.timeout)?;
        }
        let mut retries = 0;
        loop {
            // In this order: what the first execution of a repeat brought is not decided on without its id being found.
            let now = self.database.latest()?;
            if let Some(first) = self.first()? {
                return Ok(first);
            }
            let (events, conditions) = self.decide(&now)?.into_parts();
            let outcome = if events.is_empty() {
                self.check(conditions).map(|()| None)
            } else {
                let proposal = Proposal::new(events).when_all(conditions);
                self.database.transact(self.signed(proposal, now.revision())).map(Some)
            };
            match outcome {
                Ok(receipt) if receipt.as_ref().is_some_and(Receipt::is_repeat) => {
                    return self.first()?.ok_or_else(|| self.taken());
                }
                Ok(receipt) => return Ok(Executed { decided_at: now.revision(), receipt, retries }),
                // The same request was carried out at the same time, and its events have other ids, say.
                Err(DatabaseError::Transaction(TransactionError::DuplicateId { .. })) => {
                    return self.first()?.ok_or_else(|| self.taken());
                }
                Err(error) if error.is_conflict() && retries < self.request.retries => retries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What the state change decides, whatever its code does.
    fn decide(&self, now: &DatabaseAt) -> Result<Decision, ExecuteError> {
        let decided = catch_unwind(AssertUnwindSafe(|| self.change.code.decide(now, &self.command, &self.metadata)));
        let (name, version) = (self.change.shared_name(), self.change.version());
        match decided {
            Ok(Ok(decision)) => Ok(decision),
            Ok(Err(DecideFailure::Refused(refused))) => Err(refused.into()),
            Ok(Err(DecideFailure::Failed(reason))) => Err(ExecuteError::Failed { name, version, reason }),
            Err(panic) => Err(ExecuteError::Panicked { name, version, message: panic_message(&*panic) }),
        }
    }

    /// Checks conditions with nothing to append: against all that is staged, as an append would.
    fn check(&self, conditions: Vec<AppendCondition>) -> Result<(), DatabaseError> {
        if conditions.is_empty() {
            return Ok(());
        }
        let nothing = conditions.into_iter().fold(transaction(), Transaction::when);
        match self.database.store().append(nothing) {
            Ok(_) => Ok(()),
            Err(AppendError::UnmetConditions(unmet)) => Err(TransactionError::UnmetConditions(unmet).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The proposal with what is to be known of where it comes from.
    fn signed(&self, proposal: Proposal, decided_at: Revision) -> Proposal {
        let proposal = self
            .request
            .attributes
            .iter()
            .fold(proposal, |proposal, (name, value)| proposal.attribute(name, value.clone()));
        let number = |number: u64| AttributeValue::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let proposal = proposal
            .attribute(NAME, AttributeValue::String(self.change.shared_name()))
            .attribute(VERSION, number(self.change.version()))
            .attribute(DECIDED_AT, number(decided_at.get()));
        match (&self.request.transaction_id, &self.digest) {
            (Some(id), Some(digest)) => {
                proposal.attribute(DIGEST, AttributeValue::String(Arc::clone(digest))).id(Arc::clone(id))
            }
            _ => proposal,
        }
    }

    /// The result of the same request, where it was carried out before.
    ///
    /// # Errors
    /// When the id is that of something else.
    fn first(&self) -> Result<Option<Executed>, ExecuteError> {
        let (Some(id), Some(digest)) = (&self.request.transaction_id, &self.digest) else { return Ok(None) };
        let Some(found) = self.database.store().transaction(id)? else { return Ok(None) };
        let said = |name| text(found.attributes(), name);
        let decided_at = decided_at(&found).filter(|_| said(DIGEST) == Some(&**digest));
        let (Some(decided_at), Some(receipt)) = (decided_at, self.database.receipt(id)?) else {
            return Err(self.taken());
        };
        Ok(Some(Executed { decided_at, receipt: Some(receipt), retries: 0 }))
    }

    /// The request's id is that of something else.
    fn taken(&self) -> ExecuteError {
        let id = self.request.transaction_id.clone().unwrap_or_default();
        DatabaseError::from(TransactionError::DuplicateId { id }).into()
    }
}

fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    match attributes.get(name)? {
        AttributeValue::String(text) => Some(text),
        _ => None,
    }
}

fn decided_at(found: &StoredTransaction) -> Option<Revision> {
    match found.attributes().get(DECIDED_AT)? {
        AttributeValue::Integer(revision) => u64::try_from(*revision).ok().map(Revision::new),
        _ => None,
    }
}

/// What tells a command to a state change from every other one. Headers do not count: they may differ each time that it is sent.
fn digest(change: &RegisteredChange, command: &Command) -> Arc<str> {
    let mut content = Xxh3::new();
    let mut add = |bytes: Option<&[u8]>| {
        content.update(&[u8::from(bytes.is_some())]);
        content.update(&(bytes.map_or(0, <[u8]>::len) as u64).to_le_bytes());
        content.update(bytes.unwrap_or_default());
    };
    add(Some(change.name().as_bytes()));
    add(Some(&change.version().to_le_bytes()));
    add(Some(command.content_type().as_bytes()));
    add(command.schema().map(str::as_bytes));
    add(command.body());
    format!("{:032x}", content.digest128()).into()
}

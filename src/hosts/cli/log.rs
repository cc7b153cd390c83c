//! `log`: the transactions, in order.

use crate::args::LogArgs;
use crate::exit::Failure;
use crate::output::{Output, count};
use crate::{open, read};
use stratalog::hosts::lines;
use stratalog::{AttributeValue, Attributes, ReadError, Revision, StoredTransaction};

/// The columns of a table of transactions: which of them stand to the right.
const COLUMNS: &[bool] = &[true, true, true, false, false, false];
const HEAD: [&str; 6] = ["REVISION", "BASIS", "EVENTS", "RECORDED AT", "TRANSACTION", "ATTRIBUTES"];

pub(crate) fn run(arguments: &LogArgs, out: &mut Output) -> Result<(), Failure> {
    let store = open::for_reading(&arguments.store)?;
    // A transaction holds the revisions behind its basis, so the event to begin with is the one before.
    let before = Revision::new(arguments.from.unwrap_or(0).saturating_sub(1));
    // Those of system records alone are the store's own affair, as the records are.
    let has_events = |found: &Result<StoredTransaction, ReadError>| {
        !found.as_ref().is_ok_and(|transaction| transaction.events().is_empty())
    };
    let limit = arguments.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut transactions = store.transactions(before)?.filter(has_events).take(limit);
    if !out.json {
        return read::as_rows(HEAD, COLUMNS, transactions, row, out);
    }
    let mut line = Vec::new();
    transactions.try_for_each(|transaction| {
        line.clear();
        lines::write_transaction(&transaction?, &mut line);
        line.push(b'\n');
        out.bytes(&line)
    })
}

fn row(transaction: &StoredTransaction) -> [String; 6] {
    [
        transaction.revision().to_string(),
        transaction.basis().to_string(),
        count(transaction.events().len() as u64),
        transaction.recorded_at().to_string(),
        read::cut(transaction.id().unwrap_or("-")),
        read::cut(&shown(transaction.attributes())),
    ]
}

/// Attributes as words.
fn shown(attributes: &Attributes) -> String {
    let shown = |(name, value): (&str, &AttributeValue)| match value {
        AttributeValue::Boolean(value) => format!("{name}={value}"),
        AttributeValue::Integer(value) => format!("{name}={value}"),
        AttributeValue::String(text) | AttributeValue::Uri(text) | AttributeValue::UriReference(text) => {
            format!("{name}={text}")
        }
        AttributeValue::Time(time) => format!("{name}={time}"),
        value => format!("{name}=({} bytes)", value.len()),
    };
    attributes.iter().map(shown).collect::<Vec<_>>().join(" ")
}

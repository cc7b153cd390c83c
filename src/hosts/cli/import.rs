//! `import`: JSON lines into a store, one append a transaction.

use crate::args::ImportArgs;
use crate::exit::{Code, Failure};
use crate::input::Input;
use crate::open;
use crate::output::{Output, count, progress, things};
use std::mem;
use std::ops::ControlFlow;
use std::time::Instant;
use stratalog::hosts::lines::{self, Line, TransactionKey};
use stratalog::{Attributes, EventStore, Limits, NewEvent, transaction};

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Events appended.
    pub(crate) events: u64,
    /// Transactions appended.
    pub(crate) transactions: u64,
    /// Transactions that were there already under their id.
    pub(crate) repeated: u64,
    /// Transactions before the place where it resumed.
    pub(crate) skipped: u64,
}

pub(crate) fn run(arguments: &ImportArgs, out: &mut Output) -> Result<(), Failure> {
    let started = Instant::now();
    // A bad name of the input must not leave an empty store behind.
    let mut input = Input::open(&arguments.file)?;
    let store = open::for_writing(&arguments.store, arguments.durability.into())?;
    let bar = progress("importing", input.total, true);
    let resume = if arguments.resume { last_transaction(&store)? } else { None };
    let outcome = run_into(&store, &mut input, resume, &mut |consumed| bar.set_position(consumed));
    bar.finish_and_clear();
    // Also after an error: what is in the store by then shall stay.
    let closed = open::close(&store);
    let imported = outcome?;
    closed?;
    let seconds = started.elapsed().as_secs_f64();
    if out.json {
        return out.object(&serde_json::json!({
            "events": imported.events,
            "transactions": imported.transactions,
            "repeated_transactions": imported.repeated,
            "skipped_transactions": imported.skipped,
            "durable": true,
            "seconds": (seconds * 1_000.0).round() / 1_000.0,
        }));
    }
    out.line(summary(&imported, seconds))
}

fn summary(imported: &Imported, seconds: f64) -> String {
    let mut text = format!(
        "imported {} in {} in {seconds:.2} s",
        things(imported.events, "event", "events"),
        things(imported.transactions, "transaction", "transactions"),
    );
    for (number, what) in [(imported.repeated, "were there already"), (imported.skipped, "skipped by --resume")] {
        if number > 0 {
            text.push_str(&format!("; {} {what}", count(number)));
        }
    }
    text.push_str("; all of it is on disk");
    text
}

/// Where a store's log ends, as an input can tell it: the last transaction with an id, and how many without one came after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resume {
    id: Option<String>,
    anonymous: u64,
}

/// Where to resume; `None` for an empty store.
pub(crate) fn last_transaction(store: &EventStore) -> Result<Option<Resume>, Failure> {
    let mut found = Resume { id: None, anonymous: 0 };
    let mut last_basis = None;
    store.log().scan().reverse().visit(|event| {
        if let Some(id) = event.transaction_id() {
            found.id = Some(id.to_owned());
            return ControlFlow::Break(());
        }
        if last_basis.replace(event.transaction_basis()) != Some(event.transaction_basis()) {
            found.anonymous += 1;
        }
        ControlFlow::Continue(())
    })?;
    Ok((found.id.is_some() || found.anonymous > 0).then_some(found))
}

/// Imports every line of `input`; `progress` hears of the bytes consumed.
pub(crate) fn run_into(
    store: &EventStore,
    input: &mut Input,
    resume: Option<Resume>,
    progress: &mut dyn FnMut(u64),
) -> Result<Imported, Failure> {
    let mut import = Import { store, resume, done: Imported::default() };
    let mut pending: Option<Pending> = None;
    let mut appended: u32 = 0;
    while let Some((number, bytes)) = input.next()? {
        let length = bytes.len();
        let refused = |error: &dyn std::fmt::Display| Failure::new(Code::BadInput, error);
        let line = match lines::parse(bytes) {
            Ok(line) => line,
            Err(error) => return Err(import.stopped(refused(&error).context(input.place(number)))),
        };
        match &mut pending {
            Some(open) if line.key.continues(&open.key) => {
                if let Err(failure) = open.push(line, number, length) {
                    return Err(import.stopped(failure.context(input.place(number))));
                }
            }
            _ => {
                if let Some(whole) = pending.replace(Pending::new(line, number, length)) {
                    import.take(whole, input)?;
                    appended = appended.wrapping_add(1);
                    if appended.is_multiple_of(256) {
                        progress(input.consumed());
                    }
                }
            }
        }
    }
    if let Some(whole) = pending {
        import.take(whole, input)?;
    }
    import.ended(input)
}

/// An import under way.
struct Import<'s> {
    store: &'s EventStore,
    /// What of the input is there already and is still to be skipped.
    resume: Option<Resume>,
    done: Imported,
}

impl Import<'_> {
    /// Appends or skips one whole transaction.
    fn take(&mut self, whole: Pending, input: &Input) -> Result<(), Failure> {
        if self.skips(&whole) {
            self.done.skipped += 1;
            return Ok(());
        }
        let (first, last, events) = (whole.first_line, whole.last_line, whole.events as u64);
        let id = match &whole.key {
            TransactionKey::Id(id) => format!("transaction {id:?}"),
            _ => "a transaction without id".to_owned(),
        };
        match self.store.append(whole.into_transaction()) {
            Ok(receipt) if receipt.is_repeat() => self.done.repeated += 1,
            Ok(_) => {
                self.done.transactions += 1;
                self.done.events += events;
            }
            Err(error) => {
                let place = format!("{}, lines {first} to {last}, {id}", input.name());
                return Err(self.stopped(Failure::from(error).context(place)));
            }
        }
        Ok(())
    }

    /// Whether a transaction lies before the place where the import resumes.
    fn skips(&mut self, whole: &Pending) -> bool {
        let Some(resume) = &mut self.resume else { return false };
        let mut settled = false;
        let skipped = match (&resume.id, &whole.key) {
            (Some(wanted), TransactionKey::Id(id)) if wanted == id => {
                resume.id = None;
                settled = resume.anonymous == 0;
                true
            }
            (Some(_), _) => true,
            // After the last id, as many without one as the store has.
            (None, TransactionKey::Group(_) | TransactionKey::Single) if resume.anonymous > 0 => {
                resume.anonymous -= 1;
                settled = resume.anonymous == 0;
                true
            }
            (None, _) => {
                settled = true;
                false
            }
        };
        if settled {
            self.resume = None;
        }
        skipped
    }

    fn ended(self, input: &Input) -> Result<Imported, Failure> {
        if let Some(Resume { id: Some(id), .. }) = &self.resume {
            let words = format_args!(
                "the store's last transaction {id:?} is not in {}: nothing was imported. Without --resume, \
                 transactions that are there already are passed over by their ids",
                input.name()
            );
            return Err(Failure::new(Code::BadInput, words));
        }
        Ok(self.done)
    }

    /// A failure, with what the import had done before it.
    fn stopped(&self, mut failure: Failure) -> Failure {
        let done = things(self.done.transactions, "transaction", "transactions");
        failure.message.push_str(&format!(" (imported before it: {done})"));
        failure
    }
}

/// A transaction whose lines are still coming.
struct Pending {
    key: TransactionKey,
    attributes: Attributes,
    parts: Vec<(String, String, Vec<NewEvent>)>,
    events: usize,
    bytes: usize,
    first_line: u64,
    last_line: u64,
}

impl Pending {
    fn new(mut line: Line, number: u64, length: usize) -> Self {
        Self {
            key: mem::replace(&mut line.key, TransactionKey::Single),
            attributes: line.transaction_attributes.take().unwrap_or_default(),
            parts: vec![(line.category, line.stream, vec![line.event])],
            events: 1,
            bytes: length,
            first_line: number,
            last_line: number,
        }
    }

    /// Adds an event. Refuses what no store takes before it fills the memory.
    fn push(&mut self, line: Line, number: u64, length: usize) -> Result<(), Failure> {
        let limits = Limits::default();
        if line.transaction_attributes.is_some() {
            let words = "the field \"transaction_attributes\" belongs on the transaction's first line";
            return Err(Failure::new(Code::BadInput, words));
        }
        // Lines may be larger than what they say, but not by more than this.
        let bytes_max = limits.transaction_bytes.saturating_mul(8);
        self.events += 1;
        self.bytes += length;
        if self.events > limits.transaction_events || self.bytes > bytes_max {
            let words = format_args!(
                "the transaction that begins at line {} has more than {} events or {bytes_max} bytes of lines",
                self.first_line, limits.transaction_events
            );
            return Err(Failure::new(Code::BadInput, words));
        }
        self.last_line = number;
        match self.parts.last_mut() {
            Some((category, stream, events)) if *category == line.category && *stream == line.stream => {
                events.push(line.event);
            }
            _ => self.parts.push((line.category, line.stream, vec![line.event])),
        }
        Ok(())
    }

    fn into_transaction(self) -> stratalog::Transaction {
        let mut whole = transaction();
        if let TransactionKey::Id(id) = self.key {
            whole = whole.id(id);
        }
        for (name, value) in self.attributes.iter() {
            whole = whole.attribute(name, value.clone());
        }
        for (category, stream, events) in self.parts {
            whole = whole.stream(category, stream, events);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn line(transaction: &str, stream: &str) -> String {
        format!("{{{transaction}\"category\":\"c\",\"stream\":\"{stream}\",\"name\":\"n\",\"payload\":{{\"a\":1}}}}\n")
    }

    fn id(id: &str) -> String {
        format!("\"transaction\":\"{id}\",")
    }

    fn import(store: &EventStore, text: &str, resume: bool) -> Result<Imported, Failure> {
        let mut input = Input::new(Cursor::new(text.as_bytes().to_vec()), "test")?;
        let resume = if resume { last_transaction(store)? } else { None };
        run_into(store, &mut input, resume, &mut |_| {})
    }

    fn figures(store: &EventStore) -> (u64, u64) {
        let stats = store.stats().unwrap();
        (stats.events, stats.transactions)
    }

    #[test]
    fn consecutive_lines_of_a_transaction_are_one_append() {
        let store = EventStore::in_memory();
        let text = [line(&id("t1"), "a"), line(&id("t1"), "b"), line(&id("t1"), "a"), line(&id("t2"), "a")].concat();
        let done = import(&store, &text, false).unwrap();
        assert_eq!((done.events, done.transactions), (4, 2));
        let streams: Vec<_> = store.log().read().unwrap().iter().map(|event| event.stream().to_owned()).collect();
        assert_eq!(streams, ["a", "b", "a", "a"]);
        assert_eq!(store.transaction("t1").unwrap().unwrap().events().len(), 3);
    }

    #[test]
    fn a_repeat_adds_nothing_and_a_resume_skips() {
        let store = EventStore::in_memory();
        let text = [line(&id("t1"), "a"), line(&id("t2"), "b")].concat();
        import(&store, &text, false).unwrap();
        let again = import(&store, &text, false).unwrap();
        assert_eq!((again.events, again.repeated, figures(&store)), (0, 2, (2, 2)));
        let longer = text.clone() + &line(&id("t3"), "c");
        let resumed = import(&store, &longer, true).unwrap();
        assert_eq!((resumed.events, resumed.skipped, figures(&store)), (1, 2, (3, 3)));
        let elsewhere = import(&store, &line(&id("t9"), "c"), true).unwrap_err();
        assert_eq!((elsewhere.code, figures(&store)), (Code::BadInput, (3, 3)));
    }

    #[test]
    fn a_resume_counts_transactions_without_id() {
        let group = |number: u64| format!("\"group\":{number},");
        let all = [
            line("", "a"),
            line(&id("t1"), "b"),
            line("", "c"),
            line(&group(7), "d"),
            line(&group(7), "e"),
            line("", "f"),
            line(&id("t2"), "g"),
            line("", "h"),
        ];
        // Every cut between two transactions.
        for cut in [0, 1, 2, 3, 5, 6, 7, 8] {
            let store = EventStore::in_memory();
            import(&store, &all[..cut].concat(), false).unwrap();
            import(&store, &all.concat(), true).unwrap();
            assert_eq!(figures(&store), (8, 7), "cut at {cut}");
        }
    }

    #[test]
    fn a_bad_line_leaves_its_transaction_out_and_names_the_line() {
        let store = EventStore::in_memory();
        let bad = line(&id("t2"), "b").replace("\"n\"", "5");
        let text = [line(&id("t1"), "a"), "\n".into(), line(&id("t2"), "a"), bad].concat();
        let failure = import(&store, &text, false).unwrap_err();
        assert_eq!(failure.code, Code::BadInput);
        assert!(failure.message.starts_with("test, line 4: field \"name\" with value 5:"), "{}", failure.message);
        assert_eq!(figures(&store), (1, 1));
    }

    #[test]
    fn an_id_that_comes_again_later_with_other_events_is_refused() {
        let store = EventStore::in_memory();
        let text = [line(&id("t1"), "a"), line(&id("t2"), "a"), line(&id("t1"), "b")].concat();
        let failure = import(&store, &text, false).unwrap_err();
        assert_eq!(failure.code, Code::Conflict);
        assert!(failure.message.contains("lines 3 to 3") && failure.message.contains("\"t1\""), "{}", failure.message);
    }

    #[test]
    fn a_transaction_larger_than_any_store_takes_is_refused_before_it_fills_the_memory() {
        let store = EventStore::in_memory();
        let failure = import(&store, &line(&id("t"), "a").repeat(100_001), false).unwrap_err();
        assert!(failure.message.contains("line 100001") && failure.code == Code::BadInput, "{}", failure.message);
        assert_eq!(figures(&store), (0, 0));
    }

    #[test]
    fn transaction_attributes_stand_on_the_first_line() {
        let with = |key: &str| format!("{key}\"transaction_attributes\":[{{\"name\":\"by\",\"value\":\"Ada\"}}],");
        let store = EventStore::in_memory();
        import(&store, &[line(&with(&id("t1")), "a"), line(&id("t1"), "b")].concat(), false).unwrap();
        assert_eq!(store.transaction("t1").unwrap().unwrap().attributes().len(), 1);
        assert!(import(&store, &[line(&id("t2"), "a"), line(&with(&id("t2")), "b")].concat(), false).is_err());
    }
}

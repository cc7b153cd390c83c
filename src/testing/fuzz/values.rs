//! The fuzz targets of what people write: JSON of events, identifiers and selectors, times, names.

#![expect(clippy::panic, reason = "a fuzz target panics where a promise is broken")]

use super::choices::Choices;
use crate::vocabulary::append::{Append, AppendPart, check};
use crate::vocabulary::append_condition::AppendCondition;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::cloud_event::CloudEvent;
use crate::vocabulary::condition::Condition;
use crate::vocabulary::error::{AppendError, Retry};
use crate::vocabulary::event::{EventId, NewEvent, StoredEvent};
use crate::vocabulary::identifier::{Identifier, Stream};
use crate::vocabulary::options::Limits;
use crate::vocabulary::selector::{EventNames, FieldValue, Selector, SelectorNode, SelectorTemplate};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::SystemRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// Reads any bytes as JSON of whatever has a JSON form.
pub(super) fn json(data: &[u8]) {
    let (kind, text) = data.split_first().unwrap_or((&0, &[]));
    match kind % 8 {
        0 => reads_again::<NewEvent>(text),
        1 => reads_again::<StoredEvent>(text),
        2 => reads_again::<Identifier>(text),
        3 => time(text),
        4 => selector(text),
        5 => reads_again::<SelectorTemplate>(text),
        6 => reads_again::<AppendCondition>(text),
        _ => reads_again::<CloudEvent>(text),
    }
}

/// What is read keeps the limits, is in post-order, and matches something or nothing.
fn selector(text: &[u8]) {
    reads_again::<Selector>(text);
    let Ok(selector) = serde_json::from_slice::<Selector>(text) else { return };
    assert_eq!((selector.check(), Selector::from_nodes(selector.nodes())), (Ok(()), Ok(selector.clone())));
    let anything = SelectorNode::StartsWith(FieldValue::name(""));
    let all: Vec<SelectorNode> =
        selector.nodes().iter().map(|node| node.compared().map_or(node.clone(), |_| anything.clone())).collect();
    let all = Selector::from_nodes(&all);
    assert!(all.is_ok_and(|all| all.matches(&EventNames::new("c", "s", "n"))), "{selector}");
    assert!(!selector.to_string().is_empty());
}

/// What is read is written in a form that reads as the same. (Spaces within a payload are not kept; where there may be some, what
/// is written reads as what is written the same.)
fn reads_again<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(text) else { return };
    let written = serde_json::to_vec(&read);
    let Ok(written) = &written else { panic!("{written:?} from {read:?}") };
    let again = serde_json::from_slice::<T>(written);
    let Ok(again) = &again else { panic!("{again:?} from {read:?}") };
    let is_dense = !text.iter().any(u8::is_ascii_whitespace);
    assert!(!is_dense || *again == read, "{again:?} from {read:?}");
    let rewritten = serde_json::to_vec(again);
    assert!(rewritten.as_ref().is_ok_and(|rewritten| rewritten == written), "{rewritten:?} from {read:?}");
}

fn time(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match text.parse::<Timestamp>() {
        Ok(time) => assert_eq!(time.to_string().parse(), Ok(time), "{text}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Checks a transaction of any names under small limits: it keeps them, or the error says what does not.
pub(super) fn names(data: &[u8]) {
    let mut choices = Choices::new(data);
    let limits = Limits {
        name_bytes: choices.below(40),
        transaction_id_bytes: choices.below(20),
        payload_bytes: choices.below(40),
        metadata_bytes: choices.below(20),
        attributes: choices.below(4),
        attribute_name_bytes: choices.below(12),
        attribute_value_bytes: choices.below(20),
        transaction_events: choices.below(4),
        transaction_bytes: choices.below(200),
        record_key_bytes: choices.below(30),
        record_value_bytes: choices.below(20),
    };
    let stream = Stream::new(choices.text(40), choices.text(40));
    let mut attributes = Attributes::new();
    for _ in 0..choices.byte() % 4 {
        attributes.set(choices.text(12), AttributeValue::String(choices.text(20).into()));
    }
    let event = |choices: &mut Choices<'_>| {
        let event = NewEvent::empty(choices.text(40)).with_metadata(choices.run(20).to_vec());
        if choices.flag() { event.with_id(EventId::new(choices.text(40))) } else { event }
    };
    let events: Vec<NewEvent> = (0..choices.byte() % 4).map(|_| event(&mut choices)).collect();
    let record =
        |choices: &mut Choices<'_>| SystemRecord::set(choices.text(20), choices.text(20), choices.run(20).to_vec());
    let records: Vec<SystemRecord> = (0..choices.byte() % 3).map(|_| record(&mut choices)).collect();
    let id: Option<Arc<str>> = choices.flag().then(|| choices.text(20).into());
    let any = Condition::any();
    let parts = [AppendPart::new(&stream, &events, &any)];
    let mut append = Append::new(&attributes, &parts);
    (append.id, append.records) = (id.as_ref(), &records);
    let plain = check(&append, &limits, false);
    let strict = check(&append, &limits, true);
    assert!(strict.is_err() || plain.is_ok(), "strict names take what plain ones refuse: {plain:?}");
    match &plain {
        Ok(_) => {
            let within = stream.category().len().max(stream.stream().len()) <= limits.name_bytes
                && events.iter().all(|event| event.name().len() <= limits.name_bytes)
                && events.len() <= limits.transaction_events;
            assert!(within, "{append:?} keeps {limits:?}");
        }
        Err(AppendError::Limit(exceeded)) => assert!(exceeded.actual > exceeded.limit, "{exceeded}"),
        Err(error) => assert!(matches!(error, AppendError::ReservedNamespace { .. }), "{error}"),
    }
    for error in [plain, strict].into_iter().filter_map(Result::err) {
        assert_eq!(error.retry(), Retry::Never, "{error}");
    }
}

//! The digest by which a repeated transaction id is judged: same content or other content.

use crate::vocabulary::append::Append;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::Digest;
use xxhash_rust::xxh3::Xxh3;

/// The digest of what was submitted: attributes, then each part's stream and events, then records. Conditions, and ids and
/// times that the caller left out, do not count. A part without events does not count either.
pub(crate) fn of(append: &Append<'_>) -> Digest {
    let mut content = Content(Xxh3::new());
    content.attributes(append.attributes);
    content.number(append.event_count() as u64);
    for part in append.parts.iter().filter(|part| !part.events.is_empty()) {
        for event in part.events {
            content.bytes(part.stream.category().as_bytes());
            content.bytes(part.stream.stream().as_bytes());
            content.event(event);
        }
    }
    content.number(append.records.len() as u64);
    for record in append.records {
        content.bytes(record.namespace.as_bytes());
        content.bytes(record.key.as_bytes());
        content.optional(record.value.as_deref());
    }
    Digest(content.0.digest128())
}

/// Feeds fields to the hash, each with its length, so that no two contents feed the same bytes.
struct Content(Xxh3);

impl Content {
    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        self.number(u64::from(bytes.is_some()));
        self.bytes(bytes.unwrap_or_default());
    }

    fn time(&mut self, time: Option<Timestamp>) {
        self.optional(time.map(|time| time.unix_nanoseconds().to_le_bytes()).as_ref().map(<[u8; 16]>::as_slice));
    }

    fn event(&mut self, event: &NewEvent) {
        let payload = event.payload();
        self.bytes(event.name().as_bytes());
        self.optional(event.id().map(ToString::to_string).as_deref().map(str::as_bytes));
        self.time(event.observed_given.then_some(event.observed_at));
        self.time(event.occurred_at);
        self.number(payload.kind as u64);
        self.bytes(payload.bytes);
        self.optional(payload.content_type.map(str::as_bytes));
        self.optional(payload.schema.map(str::as_bytes));
        self.number(payload.schema_version.map_or(0, |version| u64::from(version) + 1));
        self.optional(event.metadata());
        self.attributes(event.attributes());
    }

    fn attributes(&mut self, attributes: &Attributes) {
        self.number(attributes.len() as u64);
        for (name, value) in attributes.iter() {
            self.bytes(name.as_bytes());
            match value {
                AttributeValue::Boolean(value) => self.tagged(1, &[u8::from(*value)]),
                AttributeValue::Integer(value) => self.tagged(2, &value.to_le_bytes()),
                AttributeValue::String(text) => self.tagged(3, text.as_bytes()),
                AttributeValue::Bytes(bytes) => self.tagged(4, bytes),
                AttributeValue::Uri(text) => self.tagged(5, text.as_bytes()),
                AttributeValue::UriReference(text) => self.tagged(6, text.as_bytes()),
                AttributeValue::Time(time) => self.tagged(7, &time.unix_nanoseconds().to_le_bytes()),
            }
        }
    }

    fn tagged(&mut self, tag: u64, bytes: &[u8]) {
        self.number(tag);
        self.bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::append::AppendPart;
    use crate::vocabulary::condition::{Condition, stream_is_empty};
    use crate::vocabulary::identifier::Stream;

    fn digest(stream: &str, event: NewEvent, condition: &Condition) -> Digest {
        let (stream, events) = (Stream::new("c", stream), [event]);
        let parts = [AppendPart::new(&stream, &events, condition)];
        of(&Append::new(&Attributes::new(), &parts))
    }

    #[test]
    fn defaults_and_conditions_do_not_count_and_content_does() {
        let any = Condition::any();
        let first = digest("s", NewEvent::empty("e"), &any);
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(digest("s", NewEvent::empty("e"), &stream_is_empty()), first);
        let others = [
            digest("t", NewEvent::empty("e"), &any),
            digest("s", NewEvent::empty("f"), &any),
            digest("s", NewEvent::empty("e").with_id("i"), &any),
            digest("s", NewEvent::empty("e").with_occurred_at(Timestamp::UNIX_EPOCH), &any),
            digest("s", NewEvent::empty("e").with_observed_at(Timestamp::UNIX_EPOCH), &any),
            digest("s", NewEvent::empty("e").with_metadata(""), &any),
            digest("s", NewEvent::empty("e").with_attribute("a", 1), &any),
            digest("s", NewEvent::empty("e").with_schema_version(0), &any),
            digest("s", NewEvent::from_payload("e", crate::vocabulary::payload::Payload::text("")), &any),
        ];
        for (index, other) in others.iter().enumerate() {
            assert_ne!(*other, first, "{index}");
            assert!(!others[..index].contains(other), "{index}");
        }
    }

    #[test]
    fn the_digest_is_fixed_since_it_is_stored() {
        let digest = digest("s", NewEvent::empty("e"), &Condition::any());
        assert_eq!(format!("{:032x}", digest.0), "4fb1ec7d2808de78da0de86ae5ba3c8f");
    }
}

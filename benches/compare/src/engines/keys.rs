//! Keys and values for stores that know only bytes: keys sort as what they stand for.
//!
//! The log maps a sequence number to the event. The stream index maps category, stream and position to a sequence number. The
//! category index holds category and sequence number. Numbers in keys are big-endian, so that they sort.

use crate::data::Stream;
use crate::engine::Event;
use crate::error::{Error, Result};

/// Ends a name within a key. Names do not hold it.
const END: u8 = 0;

/// What all keys of a stream in the stream index begin with.
pub fn stream(stream: &Stream) -> Vec<u8> {
    let mut key = Vec::with_capacity(stream.category.len() + stream.name.len() + 10);
    key.extend_from_slice(stream.category.as_bytes());
    key.push(END);
    key.extend_from_slice(stream.name.as_bytes());
    key.push(END);
    key
}

/// What all keys of a category in the category index begin with.
pub fn category(category: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(category.len() + 9);
    key.extend_from_slice(category.as_bytes());
    key.push(END);
    key
}

/// The key that ends in this number.
pub fn with(prefix: &[u8], number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(prefix.len() + 8);
    key.extend_from_slice(prefix);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The number that a key ends in.
pub fn number(key: &[u8]) -> Result<u64> {
    match key.last_chunk::<8>() {
        Some(last) => Ok(u64::from_be_bytes(*last)),
        None => Err(Error::Broken(format!("a key of {} bytes holds no number", key.len()))),
    }
}

/// An event as it is stored: its category, stream and position, its name, and then its payload.
pub fn event(stream: &Stream, position: u64, event: &Event<'_>, into: &mut Vec<u8>) {
    into.clear();
    for name in [&stream.category, &stream.name, event.name] {
        into.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        into.extend_from_slice(name.as_bytes());
    }
    into.extend_from_slice(&position.to_le_bytes());
    into.extend_from_slice(event.payload);
}

/// The payload of a stored event.
pub fn payload(stored: &[u8]) -> Result<&[u8]> {
    let mut rest = stored;
    for _ in 0..3 {
        let after = rest.split_first().and_then(|(length, after)| after.get(usize::from(*length)..));
        rest = after.ok_or_else(|| Error::Broken("a stored event is cut short".to_owned()))?;
    }
    rest.get(8..).ok_or_else(|| Error::Broken("a stored event is cut short".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;

    #[test]
    fn keys_sort_as_what_they_stand_for() {
        let data = Data::new(0, 2, 1, 8);
        let key = |which: usize, position| with(&stream(&data.streams[which]), position);
        assert!(key(0, 255) < key(0, 256));
        assert!(key(0, u64::MAX) < key(1, 0));
        assert_eq!(number(&key(1, 77)).unwrap(), 77);
    }

    #[test]
    fn an_event_gives_its_payload_back() {
        let data = Data::new(0, 2, 1, 8);
        let mut stored = vec![1, 2, 3];
        event(&data.streams[1], 4, &Event { name: &data.event_name, payload: b"payload" }, &mut stored);
        assert_eq!(payload(&stored).unwrap(), b"payload");
        assert!(payload(&stored[..30]).is_err());
    }
}

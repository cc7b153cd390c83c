//! Events of one size.

use stratalog::{NewEvent, Payload};

/// An event with a payload of so many bytes, its name 20 bytes long.
pub fn event(payload: usize) -> NewEvent {
    NewEvent::from_payload("something-happened-x", Payload::binary(vec![0x5a; payload]))
}

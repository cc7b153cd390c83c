//! A projection: a state, and the last event that went into it.

use crate::vocabulary::event::EventRef;
use crate::vocabulary::number::{Position, SequenceNumber};
use serde::{Deserialize, Serialize};

/// A state folded from events, and where folding goes on: position and sequence number of the last event that was folded in.
///
/// Save it (as JSON: `{"position":…,"sequence_number":…,"state":…}`) and fold on later with
/// [`Projector::continue_from`](crate::Projector::continue_from).
///
/// Over several streams, the position is the last event's in its own stream; the sequence number is the one to go on from.
///
/// ```
/// # use stratalog::Projection;
/// let none = Projection::initial(7);
/// assert_eq!(serde_json::to_string(&none)?, r#"{"position":null,"sequence_number":null,"state":7}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Projection<S> {
    // In the order of their names, which is the order of the keys in JSON.
    position: Option<Position>,
    sequence_number: Option<SequenceNumber>,
    state: S,
}

impl<S> Projection<S> {
    /// A state that no event has gone into.
    #[must_use]
    pub const fn initial(state: S) -> Self {
        Self { position: None, sequence_number: None, state }
    }

    /// A state saved earlier in pieces, with the position and sequence number of the last event in it.
    #[must_use]
    pub const fn new(state: S, position: Option<Position>, sequence_number: Option<SequenceNumber>) -> Self {
        Self { position, sequence_number, state }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &S {
        &self.state
    }

    /// The state, by value.
    #[must_use]
    pub fn into_state(self) -> S {
        self.state
    }

    /// The position of the last event, in its stream; none without events. What
    /// [`position_is`](crate::position_is) wants of an append that follows from a projection of one stream.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// The sequence number of the last event; none without events.
    #[must_use]
    pub const fn sequence_number(&self) -> Option<SequenceNumber> {
        self.sequence_number
    }

    /// The first sequence number that is not in the projection: what [`Scan::from`](crate::Scan::from) wants to read on.
    #[must_use]
    pub fn next_sequence_number(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence_number.map_or(0, |last| last.get().saturating_add(1)))
    }

    /// The same place with another state.
    #[must_use]
    pub fn map<T>(self, into: impl FnOnce(S) -> T) -> Projection<T> {
        Projection { position: self.position, sequence_number: self.sequence_number, state: into(self.state) }
    }

    /// The state, to fold one more event into.
    pub(super) fn state_mut(&mut self) -> &mut S {
        &mut self.state
    }

    /// Moves on to after `event`.
    pub(super) fn advance(&mut self, event: &EventRef<'_>) {
        self.position = Some(event.position());
        self.sequence_number = Some(event.sequence_number());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{DefaultHasher, Hash, Hasher};

    #[test]
    fn json_keys_are_sorted_and_round_trip() {
        let projection = Projection::new("s".to_owned(), Some(Position::new(3)), Some(SequenceNumber::new(9)));
        let json = serde_json::to_string(&projection).unwrap();
        assert_eq!(json, r#"{"position":3,"sequence_number":9,"state":"s"}"#);
        assert_eq!(serde_json::from_str::<Projection<String>>(&json).unwrap(), projection);
    }

    #[test]
    fn equality_hash_and_text_are_those_of_all_fields() {
        let hash_of = |value: &Projection<u32>| {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            hasher.finish()
        };
        let (position, number) = (|n| Some(Position::new(n)), |n| Some(SequenceNumber::new(n)));
        let one = Projection::new(7, position(3), number(9));
        assert_eq!(
            (one, hash_of(&one)),
            (Projection::new(7, position(3), number(9)), hash_of(&Projection::new(7, position(3), number(9))))
        );
        for other in [
            Projection::new(8, position(3), number(9)),
            Projection::new(7, position(4), number(9)),
            Projection::new(7, None, number(9)),
            Projection::new(7, position(3), number(8)),
            Projection::new(7, position(3), None),
        ] {
            assert_ne!(other, one);
            assert_ne!(hash_of(&other), hash_of(&one), "{other:?}");
        }
        let shown = format!("{one:?}");
        for field in ["position: Some(Position(3))", "sequence_number: Some(SequenceNumber(9))", "state: 7"] {
            assert!(shown.contains(field), "{shown}");
        }
    }

    #[test]
    fn reading_on_starts_right_after_the_last_event() {
        assert_eq!(Projection::initial(()).next_sequence_number(), SequenceNumber::new(0));
        let later = Projection::new((), Some(Position::new(0)), Some(SequenceNumber::new(9)));
        assert_eq!(later.next_sequence_number(), SequenceNumber::new(10));
        assert_eq!(later.map(|()| 1), Projection::new(1, later.position(), later.sequence_number()));
    }
}

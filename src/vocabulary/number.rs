//! The three counters of the model, each a type of its own so that none can stand in for another.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a plain number.
            #[must_use]
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The plain number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

counter! {
    /// An event's place in its log: 0-based, without gaps, handed out in commit order.
    SequenceNumber
}

counter! {
    /// How many events a log holds; 0 is the empty log. A transaction of n events raises it by n.
    #[doc(alias = "version")]
    Revision
}

counter! {
    /// An event's place in its stream: 0-based, without gaps.
    Position
}

impl Revision {
    /// The revision of a log without events.
    pub const EMPTY: Revision = Revision(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_order_and_print_as_numbers() {
        assert!(SequenceNumber::new(9) < SequenceNumber::new(10));
        assert_eq!(Position::new(7).to_string(), "7");
        assert_eq!(format!("{:?}", Revision::EMPTY), "Revision(0)");
        assert_eq!(serde_json::to_string(&Position::new(1 << 40)).unwrap(), "1099511627776");
    }
}

//! What can be wrong with a selector, and with what its parameters are bound to.

use super::node::EventField;
use crate::vocabulary::limit::LimitExceeded;
use crate::vocabulary::strict::InvalidName;
use std::sync::Arc;

/// Why a list of nodes is no selector.
#[doc(alias = "SelectorDecodeError")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// There are no nodes.
    #[error("a selector without nodes")]
    Empty,
    /// A node joins one that does not stand before it: itself, a later one, or none.
    #[error("node {node} of the selector joins node {to}, which does not stand before it")]
    ForwardReference {
        /// The place of the node in the list.
        node: usize,
        /// The place that it speaks of.
        to: u32,
    },
    /// A name that no event written by the database API can have. Only where strict names are asked for.
    #[error("node {node} of the selector: {source}")]
    InvalidName {
        /// The place of the node in the list.
        node: usize,
        /// The name and the rule.
        source: InvalidName,
    },
    /// The selector is too big.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// A parameter stands for two kinds of values: nothing could be bound to it.
    #[error("the parameter {parameter:?} stands for a {one} and for a {other}")]
    ConflictingKinds {
        /// The parameter.
        parameter: Arc<str>,
        /// What it stands for at first.
        one: EventField,
        /// What it stands for later.
        other: EventField,
    },
}

/// Why a template's parameters cannot be bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Nothing is bound to a parameter.
    #[error("nothing is bound to the parameter {parameter:?}, which stands for a {expected}")]
    Unbound {
        /// The parameter.
        parameter: Arc<str>,
        /// What it stands for.
        expected: EventField,
    },
    /// The template has no parameter of this name.
    #[error("there is no parameter {parameter:?}")]
    Unknown {
        /// The name.
        parameter: Arc<str>,
    },
    /// What is bound to a parameter is not what it stands for.
    #[error("the parameter {parameter:?} stands for a {expected}, and a {actual} is bound to it")]
    WrongKind {
        /// The parameter.
        parameter: Arc<str>,
        /// What it stands for.
        expected: EventField,
        /// What is bound to it.
        actual: EventField,
    },
    /// Two values are bound to one parameter.
    #[error("two values are bound to the parameter {parameter:?}")]
    BoundTwice {
        /// The parameter.
        parameter: Arc<str>,
    },
    /// The empty text is bound to a parameter that stands for the beginning of a name: "no stream" has no beginning, and an empty
    /// one would select everything.
    #[error("the parameter {parameter:?} stands for the beginning of a {field}, and an empty text is bound to it")]
    EmptyPrefix {
        /// The parameter.
        parameter: Arc<str>,
        /// What it stands for the beginning of.
        field: EventField,
    },
    /// With what is bound to its parameters, the selector is too big.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
}

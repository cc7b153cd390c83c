//! Selectors with parameters, which are bound when they are used: what a state view is registered with.

use super::error::{BindError, SelectorError};
use super::node::{EventField, FieldValue, SelectorNode};
use super::tree::{Tree, Value};
use super::{Selector, check_strict, face, write_comparison};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;

/// What a [`SelectorTemplate`] compares with: a text, or what will be bound to a parameter.
///
/// As JSON: the text as a string, or `{"parameter":"NAME"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operand {
    /// This text.
    Text(Arc<str>),
    /// What is bound to the parameter of this name. Any text is a name.
    Parameter(Arc<str>),
}

/// What will be bound to the parameter of this name, for [`SelectorTemplate`]s.
#[must_use]
pub fn parameter(name: impl Into<Arc<str>>) -> Operand {
    Operand::Parameter(name.into())
}

impl Value for Operand {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Parameter(_) => None,
        }
    }
}

impl From<&str> for Operand {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Operand {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Arc<str>> for Operand {
    fn from(text: Arc<str>) -> Self {
        Self::Text(text)
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Parameter(name) => write!(f, "parameter {name:?}"),
        }
    }
}

/// A [`Selector`] in which a text may be a [`parameter`] that is bound later. A selector is a template without parameters.
///
/// ```
/// use stratalog::{parameter, BindError, EventNames, FieldValue, SelectorTemplate};
///
/// # fn main() -> Result<(), BindError> {
/// let of_account = SelectorTemplate::category("accounts") & SelectorTemplate::stream(parameter("account"));
/// let selector = of_account.bind([("account", FieldValue::stream("acc-42"))])?;
/// assert!(selector.matches(&EventNames::new("accounts", "acc-42", "money-deposited")));
///
/// let wrong = of_account.bind([("account", FieldValue::name("acc-42"))]).unwrap_err();
/// assert!(matches!(wrong, BindError::WrongKind { .. }));
/// # Ok(())
/// # }
/// ```
///
/// Limits and JSON form are those of [`Selector`], with `{"parameter":"NAME"}` in the place of a text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SelectorTemplate(pub(super) Tree<Operand>);

face!(SelectorTemplate, Operand);

impl SelectorTemplate {
    /// The parameters, each once, with what they stand for, in the order in which the flat form has them.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, EventField)> {
        let places = || self.0.nodes().iter().filter_map(parameter_of);
        places()
            .enumerate()
            .filter(move |(index, (name, _))| !places().take(*index).any(|(earlier, _)| earlier == *name))
            .map(|(_, (name, field))| (&**name, field))
    }

    /// Whether it keeps the limits, and each parameter stands for one kind of value. Whoever registers a template asks.
    ///
    /// # Errors
    /// [`SelectorError::Limit`] or [`SelectorError::ConflictingKinds`].
    pub fn check(&self) -> Result<(), SelectorError> {
        self.0.check()?;
        let mut kinds = HashMap::new();
        for (parameter, field) in self.0.nodes().iter().filter_map(parameter_of) {
            let one = *kinds.entry(parameter).or_insert(field);
            if one != field {
                let parameter = Arc::clone(parameter);
                return Err(SelectorError::ConflictingKinds { parameter, one, other: field });
            }
        }
        Ok(())
    }

    /// Puts values in the place of the parameters.
    ///
    /// # Errors
    /// The first of these: [`BindError::BoundTwice`], [`BindError::Unknown`], then by the order of the nodes
    /// [`BindError::Unbound`], [`BindError::WrongKind`], [`BindError::EmptyPrefix`], and at last [`BindError::Limit`].
    pub fn bind<N: Into<Arc<str>>>(
        &self,
        arguments: impl IntoIterator<Item = (N, FieldValue)>,
    ) -> Result<Selector, BindError> {
        let mut bound = HashMap::new();
        let parameters: HashSet<&str> = self.parameters().map(|(name, _)| name).collect();
        let mut unknown = None;
        for (parameter, value) in arguments {
            let parameter = parameter.into();
            if !parameters.contains(&*parameter) {
                unknown.get_or_insert_with(|| Arc::clone(&parameter));
            }
            if bound.insert(Arc::clone(&parameter), value).is_some() {
                return Err(BindError::BoundTwice { parameter });
            }
        }
        if let Some(parameter) = unknown {
            return Err(BindError::Unknown { parameter });
        }
        let tree = self.0.try_map(|node| {
            Ok(match node {
                SelectorNode::Equals(field) => SelectorNode::Equals(field.map(resolve(field, &bound)?)),
                SelectorNode::StartsWith(field) => {
                    let prefix = resolve(field, &bound)?;
                    if let (Operand::Parameter(parameter), true) = (field.value(), prefix.is_empty()) {
                        let parameter = Arc::clone(parameter);
                        return Err(BindError::EmptyPrefix { parameter, field: field.field() });
                    }
                    SelectorNode::StartsWith(field.map(prefix))
                }
                SelectorNode::And(left, right) => SelectorNode::And(*left, *right),
                SelectorNode::Or(left, right) => SelectorNode::Or(*left, *right),
            })
        })?;
        tree.check()?;
        Ok(Selector(tree))
    }
}

/// The parameter that a node compares with, if it does.
fn parameter_of(node: &SelectorNode<Operand>) -> Option<(&Arc<str>, EventField)> {
    let field = node.compared()?;
    match field.value() {
        Operand::Parameter(name) => Some((name, field.field())),
        Operand::Text(_) => None,
    }
}

/// The text that an operand stands for.
fn resolve(field: &FieldValue<Operand>, bound: &HashMap<Arc<str>, FieldValue>) -> Result<Arc<str>, BindError> {
    let parameter = match field.value() {
        Operand::Text(text) => return Ok(Arc::clone(text)),
        Operand::Parameter(parameter) => Arc::clone(parameter),
    };
    let expected = field.field();
    match bound.get(&parameter) {
        None => Err(BindError::Unbound { parameter, expected }),
        Some(value) if value.field() != expected => {
            Err(BindError::WrongKind { parameter, expected, actual: value.field() })
        }
        Some(value) => Ok(Arc::clone(value.value())),
    }
}

impl From<Selector> for SelectorTemplate {
    fn from(selector: Selector) -> Self {
        let tree = selector.0.try_map(|node| {
            Ok::<_, std::convert::Infallible>(match node {
                SelectorNode::Equals(field) => SelectorNode::Equals(field.map(Arc::clone(field.value()).into())),
                SelectorNode::StartsWith(field) => {
                    SelectorNode::StartsWith(field.map(Arc::clone(field.value()).into()))
                }
                SelectorNode::And(left, right) => SelectorNode::And(*left, *right),
                SelectorNode::Or(left, right) => SelectorNode::Or(*left, *right),
            })
        });
        let Ok(tree) = tree;
        Self(tree)
    }
}

impl fmt::Display for SelectorTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, |f, node| write_comparison(f, node, |f, operand| write!(f, "{operand}")))
    }
}

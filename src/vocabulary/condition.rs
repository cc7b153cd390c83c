//! Conditions on a stream, checked in the same step as the append they guard.

use super::event::EventRef;
use super::identifier::Stream;
use super::number::Position;
use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A check that a user invents: sees the stream's last event and says whether the append may go ahead.
pub(crate) type Check = dyn Fn(Option<&EventRef<'_>>) -> bool + Send + Sync;

/// What must hold of a stream for an append to it to go ahead.
///
/// Conditions combine with `&` and `|`; an array or vector of them means all. They see the stream as it is right before the
/// append: the transaction's own events do not count.
///
/// ```
/// use stratalog::{position_is, stream_is_empty, Condition};
/// let either = stream_is_empty() | position_is(4);
/// let both = either & Condition::custom("not closed", |last| last.is_none_or(|event| event.name() != "closed"));
/// assert_eq!(both.to_string(), "(stream is empty or position is 4) and \"not closed\"");
/// ```
#[doc(alias = "WriteCondition")]
#[derive(Clone)]
pub struct Condition(pub(crate) Rule);

#[derive(Clone)]
pub(crate) enum Rule {
    /// Holds always.
    Any,
    /// The last position, or `None` for a stream without events.
    PositionIs(Option<Position>),
    /// The stream has an event.
    Exists,
    /// A user's check.
    Custom { name: Arc<str>, check: Arc<Check> },
    /// All must hold; evaluated in order up to the first that does not.
    All(Vec<Rule>),
    /// One must hold; evaluated in order up to the first that does.
    One(Vec<Rule>),
}

/// A position to expect: a plain number, a [`Position`], or `None` for a stream without events.
pub trait ExpectedPosition {
    /// The position, or `None` for "no events".
    fn expected_position(self) -> Option<Position>;
}

impl ExpectedPosition for u64 {
    fn expected_position(self) -> Option<Position> {
        Some(Position::new(self))
    }
}

impl ExpectedPosition for Position {
    fn expected_position(self) -> Option<Position> {
        Some(self)
    }
}

impl ExpectedPosition for Option<Position> {
    fn expected_position(self) -> Option<Position> {
        self
    }
}

/// Holds when the stream's last event stands at `position`; with `None`, when the stream has no events.
///
/// ```
/// # use stratalog::{position_is, stream_is_empty};
/// assert_eq!(position_is(None).to_string(), stream_is_empty().to_string());
/// ```
#[must_use]
pub fn position_is(position: impl ExpectedPosition) -> Condition {
    Condition(Rule::PositionIs(position.expected_position()))
}

/// Holds when the stream has no events. Its category and log may have some.
#[must_use]
pub fn stream_is_empty() -> Condition {
    Condition(Rule::PositionIs(None))
}

/// Holds when the stream has at least one event.
#[must_use]
pub fn stream_exists() -> Condition {
    Condition(Rule::Exists)
}

impl Condition {
    /// Holds always: an append without a condition.
    #[doc(alias = "NoCondition")]
    #[must_use]
    pub const fn any() -> Self {
        Self(Rule::Any)
    }

    /// A condition of your own: `check` sees the stream's last event, or `None`, and says whether the append may go ahead.
    ///
    /// It runs in the writer's seat, so keep it short: every other appender waits for it. If it panics, that append is
    /// refused and the store stays usable. If it calls the store, the call fails with a typed error.
    #[must_use]
    pub fn custom<F>(name: impl Into<Arc<str>>, check: F) -> Self
    where
        F: Fn(Option<&EventRef<'_>>) -> bool + Send + Sync + 'static,
    {
        Self(Rule::Custom { name: name.into(), check: Arc::new(check) })
    }

    /// Whether the condition needs to see the last event itself, not just its position.
    pub(crate) fn needs_event(&self) -> bool {
        self.0.needs_event()
    }

    /// Whether the condition holds whatever the stream.
    pub(crate) fn is_any(&self) -> bool {
        matches!(self.0, Rule::Any)
    }

    /// Judges the stream whose last event is `last` (its position alone where no check needs more).
    ///
    /// # Errors
    /// The rule that is unmet, or the custom check that panicked.
    pub(crate) fn judge(&self, last: Option<Position>, event: Option<&EventRef<'_>>) -> Result<(), Refusal> {
        self.0.judge(last, event)
    }
}

/// Why a condition does not let an append through.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// This part of the condition does not hold.
    Unmet(Condition),
    /// This custom check panicked with this message.
    Panicked { name: Arc<str>, message: String },
}

impl Rule {
    fn needs_event(&self) -> bool {
        match self {
            Rule::Any | Rule::PositionIs(_) | Rule::Exists => false,
            Rule::Custom { .. } => true,
            Rule::All(rules) | Rule::One(rules) => rules.iter().any(Rule::needs_event),
        }
    }

    fn judge(&self, last: Option<Position>, event: Option<&EventRef<'_>>) -> Result<(), Refusal> {
        let holds = match self {
            Rule::Any => true,
            Rule::PositionIs(expected) => *expected == last,
            Rule::Exists => last.is_some(),
            Rule::Custom { name, check } => match catch_unwind(AssertUnwindSafe(|| check(event))) {
                Ok(verdict) => verdict,
                Err(panic) => {
                    return Err(Refusal::Panicked { name: Arc::clone(name), message: panic_message(&*panic) });
                }
            },
            Rule::All(rules) => {
                for rule in rules {
                    rule.judge(last, event)?;
                }
                true
            }
            Rule::One(rules) => {
                let mut holds = false;
                for rule in rules {
                    match rule.judge(last, event) {
                        Ok(()) => {
                            holds = true;
                            break;
                        }
                        Err(Refusal::Unmet(_)) => {}
                        Err(panicked) => return Err(panicked),
                    }
                }
                holds
            }
        };
        if holds { Ok(()) } else { Err(Refusal::Unmet(Condition(self.clone()))) }
    }
}

/// What a panic says, in words.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}

impl BitAnd for Condition {
    type Output = Condition;

    fn bitand(self, other: Condition) -> Condition {
        Condition(match (self.0, other.0) {
            (Rule::Any, rule) | (rule, Rule::Any) => rule,
            (Rule::All(mut left), Rule::All(right)) => {
                left.extend(right);
                Rule::All(left)
            }
            (Rule::All(mut left), right) => {
                left.push(right);
                Rule::All(left)
            }
            (left, Rule::All(mut right)) => {
                right.insert(0, left);
                Rule::All(right)
            }
            (left, right) => Rule::All(vec![left, right]),
        })
    }
}

impl BitOr for Condition {
    type Output = Condition;

    fn bitor(self, other: Condition) -> Condition {
        Condition(match (self.0, other.0) {
            (Rule::Any, _) | (_, Rule::Any) => Rule::Any,
            (Rule::One(mut left), Rule::One(right)) => {
                left.extend(right);
                Rule::One(left)
            }
            (Rule::One(mut left), right) => {
                left.push(right);
                Rule::One(left)
            }
            (left, Rule::One(mut right)) => {
                right.insert(0, left);
                Rule::One(right)
            }
            (left, right) => Rule::One(vec![left, right]),
        })
    }
}

/// One condition, or several of which all must hold. None at all holds always.
pub trait IntoCondition {
    /// The one condition that says the same.
    fn into_condition(self) -> Condition;
}

impl IntoCondition for Condition {
    fn into_condition(self) -> Condition {
        self
    }
}

impl IntoCondition for Option<Condition> {
    fn into_condition(self) -> Condition {
        self.unwrap_or(Condition::any())
    }
}

impl IntoCondition for Vec<Condition> {
    fn into_condition(self) -> Condition {
        self.into_iter().fold(Condition::any(), BitAnd::bitand)
    }
}

impl<const N: usize> IntoCondition for [Condition; N] {
    fn into_condition(self) -> Condition {
        self.into_iter().fold(Condition::any(), BitAnd::bitand)
    }
}

/// Equality is structural: `a & b` differs from `b & a`. Custom conditions are equal when they are clones of one.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Condition {}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Rule::Any, Rule::Any) | (Rule::Exists, Rule::Exists) => true,
            (Rule::PositionIs(one), Rule::PositionIs(two)) => one == two,
            (Rule::Custom { name, check }, Rule::Custom { name: other_name, check: other_check }) => {
                name == other_name && Arc::ptr_eq(check, other_check)
            }
            (Rule::All(one), Rule::All(two)) | (Rule::One(one), Rule::One(two)) => one == two,
            _ => false,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, rules: &[Rule], word: &str| {
            for (index, rule) in rules.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match rule {
                    Rule::All(_) | Rule::One(_) => write!(f, "({rule})")?,
                    _ => write!(f, "{rule}")?,
                }
            }
            Ok(())
        };
        match self {
            Rule::Any => f.write_str("anything"),
            Rule::PositionIs(Some(position)) => write!(f, "position is {position}"),
            Rule::PositionIs(None) => f.write_str("stream is empty"),
            Rule::Exists => f.write_str("stream exists"),
            Rule::Custom { name, .. } => write!(f, "{name:?}"),
            Rule::All(rules) => list(f, rules, "and"),
            Rule::One(rules) => list(f, rules, "or"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({self})")
    }
}

/// A condition that did not hold: which, on what stream, and what was found there. Nothing was written.
#[doc(alias = "UnmetWriteConditionError")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unmet condition on {stream}: expected that {expected}, found {}", Found(*actual))]
#[non_exhaustive]
pub struct UnmetCondition {
    /// The stream that was judged.
    pub stream: Stream,
    /// The whole condition on that stream.
    pub condition: Condition,
    /// The part of it that did not hold.
    pub expected: Condition,
    /// The stream's last position, or `None` if it has no events.
    pub actual: Option<Position>,
}

struct Found(Option<Position>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(position) => write!(f, "position {position}"),
            None => f.write_str("no events"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: &Condition, last: Option<u64>) -> bool {
        condition.judge(last.map(Position::new), None).is_ok()
    }

    #[test]
    fn positions_compare_by_value_also_when_large() {
        for position in [0, 256, 257, 1 << 31, (1 << 31) + 1, u64::MAX - 1] {
            assert!(holds(&position_is(position), Some(position)));
            assert!(!holds(&position_is(position), Some(position + 1)));
            assert!(!holds(&position_is(position), None));
        }
        assert!(holds(&position_is(None), None) && !holds(&position_is(None), Some(0)));
        assert!(holds(&stream_exists(), Some(0)) && !holds(&stream_exists(), None));
    }

    #[test]
    fn and_and_or_flatten_and_judge() {
        let either = position_is(1) | position_is(2) | position_is(3);
        assert!(matches!(&either.0, Rule::One(rules) if rules.len() == 3));
        assert!(holds(&either, Some(3)) && !holds(&either, Some(4)));
        let both = stream_exists() & (position_is(1) | position_is(2));
        assert!(holds(&both, Some(2)) && !holds(&both, None));
        assert!(holds(&(position_is(7) & Condition::any()), Some(7)));
        assert!(holds(&(position_is(7) | Condition::any()), None));
        assert!(holds(&Vec::new().into_condition(), None));
        assert!(!holds(&[stream_is_empty(), position_is(9)].into_condition(), Some(9)));
    }

    #[test]
    fn a_panic_in_a_check_is_a_refusal_that_says_so() {
        let bomb = Condition::custom("bomb", |_| panic!("boom"));
        let refusal = (position_is(None) | bomb).judge(Some(Position::new(0)), None).unwrap_err();
        assert!(matches!(refusal, Refusal::Panicked { message, .. } if message == "boom"));
    }
}

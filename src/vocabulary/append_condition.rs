//! Conditions on the log: what must hold of the latest event that a selector selects.

use super::number::Revision;
use super::selector::Selector;
use serde::Deserialize;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;
use std::ops::RangeInclusive;

/// What must hold of the latest event that a [`Selector`] selects, for a transaction to be appended.
///
/// It is judged by that event's revision right before the transaction, whose own events do not count:
///
/// | condition | holds when the latest event's revision is | where none is selected |
/// |---|---|---|
/// | [`min`](Self::min) | this or a later one | does not hold, whatever the revision |
/// | [`max`](Self::max) | this or an earlier one | holds |
/// | [`range`](Self::range) | within the range, both ends included | does not hold |
///
/// Equality is structural, as that of selectors: `min` 0 and `min` 1 differ, though they say the same.
///
/// ```
/// use stratalog::{must_exist, must_not_exist, unchanged_since, Revision, Selector};
///
/// let account = Selector::category("accounts") & Selector::stream("acc-42");
/// assert!(must_not_exist(account.clone()).holds(None));
/// assert!(must_exist(account.clone()).holds(Some(Revision::new(7))));
///
/// let unmet = unchanged_since(account, Revision::new(6)).judge(Some(Revision::new(7))).unwrap_err();
/// assert_eq!(unmet.actual, Some(Revision::new(7)));
/// assert!(unmet.to_string().starts_with("unmet append condition: expected no event after revision 6 where category is"));
/// ```
///
/// As JSON, which is the same for equal conditions: `{"min":1,"selector":[…]}`, `{"max":0,"selector":[…]}`, and with both for a
/// range. The selector stands there in its flat form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "Form")]
pub struct AppendCondition {
    selector: Selector,
    bounds: RevisionBounds,
}

/// Which revisions the latest event may have that an [`AppendCondition`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevisionBounds {
    /// There is one, at this revision or after it.
    Min(Revision),
    /// There is none after this revision.
    Max(Revision),
    /// There is one, at one of these revisions; the first is not above the second.
    Range(Revision, Revision),
}

/// Why there is no such append condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendConditionError {
    /// Neither a least nor a greatest revision.
    #[error("an append condition without a revision")]
    Blank,
    /// A range that ends before it begins.
    #[error("a range of revisions from {min} to {max} holds none")]
    InvalidRange {
        /// Where it begins.
        min: Revision,
        /// Where it ends.
        max: Revision,
    },
    /// Conditions that no revision meets together.
    #[error("no revision is at least {min} and at most {max}")]
    Conflict {
        /// What one of them has as the least.
        min: Revision,
        /// What the other has as the greatest.
        max: Revision,
    },
    /// Conditions on different events.
    #[error("one condition is on events where {one}, the other on those where {other}")]
    IncompatibleSelectors {
        /// The selector of one.
        one: Selector,
        /// The selector of the other.
        other: Selector,
    },
}

/// An append condition that did not hold. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unmet append condition: expected {condition}, found {}", Found(*actual))]
#[non_exhaustive]
pub struct UnmetAppendCondition {
    /// What was expected: [`AppendCondition::bounds`] of the events that [`AppendCondition::selector`] selects.
    pub condition: AppendCondition,
    /// The revision of the latest of them, or `None` if there was none.
    pub actual: Option<Revision>,
}

struct Found(Option<Revision>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(revision) => write!(f, "the latest at revision {revision}"),
            None => f.write_str("none"),
        }
    }
}

/// Holds when the selector selects an event.
#[must_use]
pub fn must_exist(selector: impl Into<Selector>) -> AppendCondition {
    AppendCondition::min(selector, Revision::new(1))
}

/// Holds when the selector selects no event.
#[must_use]
pub fn must_not_exist(selector: impl Into<Selector>) -> AppendCondition {
    AppendCondition::max(selector, Revision::EMPTY)
}

/// Holds when the selector selects no event. Another name of [`must_not_exist`].
#[must_use]
pub fn fail_if_events_match(selector: impl Into<Selector>) -> AppendCondition {
    must_not_exist(selector)
}

/// Holds when the selector selects no event after this revision: whoever decided by what it selected then has missed nothing.
#[must_use]
pub fn unchanged_since(selector: impl Into<Selector>, revision: Revision) -> AppendCondition {
    AppendCondition::max(selector, revision)
}

/// Holds when the latest event that the selector selects is the one at this revision. Never holds for revision 0.
#[must_use]
pub fn at_revision(selector: impl Into<Selector>, revision: Revision) -> AppendCondition {
    AppendCondition { selector: selector.into(), bounds: RevisionBounds::Range(revision, revision) }
}

impl AppendCondition {
    /// Holds when the latest event that the selector selects has this revision or a later one.
    #[must_use]
    pub fn min(selector: impl Into<Selector>, revision: Revision) -> Self {
        Self { selector: selector.into(), bounds: RevisionBounds::Min(revision) }
    }

    /// Holds when the latest event that the selector selects has this revision or an earlier one, and when there is none.
    #[must_use]
    pub fn max(selector: impl Into<Selector>, revision: Revision) -> Self {
        Self { selector: selector.into(), bounds: RevisionBounds::Max(revision) }
    }

    /// Holds when the latest event that the selector selects has one of these revisions.
    ///
    /// # Errors
    /// [`AppendConditionError::InvalidRange`] when the range ends before it begins.
    pub fn range(
        selector: impl Into<Selector>,
        revisions: RangeInclusive<Revision>,
    ) -> Result<Self, AppendConditionError> {
        let (min, max) = revisions.into_inner();
        if min > max {
            return Err(AppendConditionError::InvalidRange { min, max });
        }
        Ok(Self { selector: selector.into(), bounds: RevisionBounds::Range(min, max) })
    }

    /// Which events it speaks of.
    #[must_use]
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Which revisions the latest of them may have.
    #[must_use]
    pub fn bounds(&self) -> RevisionBounds {
        self.bounds
    }

    /// Whether it holds, where `latest` is the revision of the latest event that it speaks of, if there is one.
    #[must_use]
    pub fn holds(&self, latest: Option<Revision>) -> bool {
        self.bounds.allow(latest)
    }

    /// The same, with the reason where it does not hold.
    ///
    /// # Errors
    /// [`UnmetAppendCondition`], with what was expected and `latest`.
    pub fn judge(&self, latest: Option<Revision>) -> Result<(), UnmetAppendCondition> {
        if self.holds(latest) {
            return Ok(());
        }
        Err(UnmetAppendCondition { condition: self.clone(), actual: latest })
    }

    /// One condition in the place of two on the same events, as EvidentSource's library makes it. It is mostly **weaker than
    /// both together**: two of one kind become the one that allows more, and so does a range with anything. Only `min` and `max`
    /// together become a range that says what both say. The order of three makes a difference.
    ///
    /// A transaction takes any number of conditions, and all must hold: it needs no combining, and never does it.
    ///
    /// ```
    /// use stratalog::{must_exist, unchanged_since, AppendCondition, Revision, Selector};
    ///
    /// # fn main() -> Result<(), stratalog::AppendConditionError> {
    /// let account = Selector::stream("acc-42");
    /// let both = must_exist(account.clone()).combine(&unchanged_since(account.clone(), Revision::new(7)))?;
    /// assert_eq!(both, AppendCondition::range(account, Revision::new(1)..=Revision::new(7))?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AppendConditionError::IncompatibleSelectors`] unless the selectors are equal, [`AppendConditionError::Conflict`] for a
    /// `min` above a `max`.
    pub fn combine(&self, other: &Self) -> Result<Self, AppendConditionError> {
        use RevisionBounds::{Max, Min, Range};
        if self.selector != other.selector {
            let (one, other) = (self.selector.clone(), other.selector.clone());
            return Err(AppendConditionError::IncompatibleSelectors { one, other });
        }
        let bounds = match (self.bounds, other.bounds) {
            (Min(one), Min(two)) => Min(one.min(two)),
            (Max(one), Max(two)) => Max(one.max(two)),
            (Min(min), Max(max)) | (Max(max), Min(min)) if min > max => {
                return Err(AppendConditionError::Conflict { min, max });
            }
            (Min(min), Max(max)) | (Max(max), Min(min)) => Range(min, max),
            (Range(min, max), Min(other)) | (Min(other), Range(min, max)) => Range(min.min(other), max),
            (Range(min, max), Max(other)) | (Max(other), Range(min, max)) => Range(min, max.max(other)),
            (Range(min, max), Range(other_min, other_max)) => Range(min.min(other_min), max.max(other_max)),
        };
        Ok(Self { selector: self.selector.clone(), bounds })
    }
}

impl RevisionBounds {
    /// Whether the latest event may have this revision, or be none.
    #[must_use]
    pub fn allow(self, latest: Option<Revision>) -> bool {
        match (self, latest) {
            (Self::Min(_) | Self::Range(..), None) => false,
            (Self::Max(_), None) => true,
            (Self::Min(min), Some(latest)) => latest >= min,
            (Self::Max(max), Some(latest)) => latest <= max,
            (Self::Range(min, max), Some(latest)) => (min..=max).contains(&latest),
        }
    }
}

impl fmt::Display for AppendCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bounds {
            RevisionBounds::Min(min) if min.get() < 2 => write!(f, "an event")?,
            RevisionBounds::Min(min) => write!(f, "an event at revision {min} or later")?,
            RevisionBounds::Max(Revision::EMPTY) => write!(f, "no event")?,
            RevisionBounds::Max(max) => write!(f, "no event after revision {max}")?,
            RevisionBounds::Range(min, max) if min == max => write!(f, "the latest event at revision {min}")?,
            RevisionBounds::Range(min, max) => write!(f, "the latest event at one of the revisions {min} to {max}")?,
        }
        write!(f, " where {}", self.selector)
    }
}

impl Serialize for AppendCondition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (min, max) = match self.bounds {
            RevisionBounds::Min(min) => (Some(min), None),
            RevisionBounds::Max(max) => (None, Some(max)),
            RevisionBounds::Range(min, max) => (Some(min), Some(max)),
        };
        // Formats for machines may know a field by its place alone, so there all must be there.
        let whole = !serializer.is_human_readable();
        let (with_min, with_max) = (whole || min.is_some(), whole || max.is_some());
        let fields = 1 + usize::from(with_min) + usize::from(with_max);
        let mut form = serializer.serialize_struct("AppendCondition", fields)?;
        if with_max {
            form.serialize_field("max", &max)?;
        }
        if with_min {
            form.serialize_field("min", &min)?;
        }
        form.serialize_field("selector", &self.selector)?;
        form.end()
    }
}

/// The form in files and messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default)]
    max: Option<Revision>,
    #[serde(default)]
    min: Option<Revision>,
    selector: Selector,
}

impl TryFrom<Form> for AppendCondition {
    type Error = AppendConditionError;

    fn try_from(Form { max, min, selector }: Form) -> Result<Self, AppendConditionError> {
        match (min, max) {
            (None, None) => Err(AppendConditionError::Blank),
            (Some(min), None) => Ok(Self::min(selector, min)),
            (None, Some(max)) => Ok(Self::max(selector, max)),
            (Some(min), Some(max)) => Self::range(selector, min..=max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(revision: u64) -> Revision {
        Revision::new(revision)
    }

    fn any() -> Selector {
        Selector::name_prefix("")
    }

    fn min(revision: u64) -> AppendCondition {
        AppendCondition::min(any(), at(revision))
    }

    fn max(revision: u64) -> AppendCondition {
        AppendCondition::max(any(), at(revision))
    }

    fn range(min: u64, max: u64) -> AppendCondition {
        AppendCondition::range(any(), at(min)..=at(max)).unwrap()
    }

    /// For which latest revisions up to 4 a condition holds; 0 stands for no event.
    fn held(condition: &AppendCondition) -> Vec<u64> {
        (0..=4).filter(|latest| condition.holds((*latest > 0).then(|| at(*latest)))).collect()
    }

    #[test]
    fn the_table_of_min_max_and_range() {
        assert_eq!(held(&min(3)), [3, 4]);
        assert_eq!(held(&min(1)), [1, 2, 3, 4]);
        assert_eq!(held(&min(0)), [1, 2, 3, 4], "without an event it fails, also for 0");
        assert_eq!(held(&max(3)), [0, 1, 2, 3]);
        assert_eq!(held(&max(0)), [0]);
        assert_eq!(held(&max(u64::MAX)), [0, 1, 2, 3, 4]);
        assert_eq!(held(&range(2, 3)), [2, 3]);
        assert_eq!(held(&range(0, 2)), [1, 2]);
        assert_eq!(held(&range(4, 4)), [4]);
    }

    #[test]
    fn named_forms_are_what_they_say() {
        assert_eq!(must_exist(any()), min(1));
        assert_eq!(must_not_exist(any()), max(0));
        assert_eq!(fail_if_events_match(any()), max(0));
        assert_eq!(unchanged_since(any(), at(7)), max(7));
        assert_eq!(at_revision(any(), at(7)), range(7, 7));
        assert!(held(&at_revision(any(), at(0))).is_empty(), "there is no event at revision 0");
    }

    #[test]
    fn a_range_does_not_end_before_it_begins() {
        let refused = AppendCondition::range(any(), at(3)..=at(2));
        assert_eq!(refused, Err(AppendConditionError::InvalidRange { min: at(3), max: at(2) }));
    }

    #[test]
    fn combining_widens_but_for_min_and_max() {
        let cases = [
            (min(2), min(5), min(2)),
            (max(2), max(5), max(5)),
            (min(2), max(5), range(2, 5)),
            (min(5), max(5), range(5, 5)),
            (range(3, 5), min(4), range(3, 5)),
            (range(3, 5), min(1), range(1, 5)),
            (range(3, 5), min(9), range(3, 5)),
            (range(3, 5), max(4), range(3, 5)),
            (range(3, 5), max(7), range(3, 7)),
            (range(3, 5), max(1), range(3, 5)),
            (range(3, 5), range(7, 9), range(3, 9)),
            (range(3, 5), range(1, 4), range(1, 5)),
        ];
        for (one, other, both) in cases {
            assert_eq!(one.combine(&other), Ok(both.clone()), "{one} and {other}");
            assert_eq!(other.combine(&one), Ok(both), "{other} and {one}");
        }
        let conflict = AppendConditionError::Conflict { min: at(6), max: at(5) };
        assert_eq!(min(6).combine(&max(5)), Err(conflict.clone()));
        assert_eq!(max(5).combine(&min(6)), Err(conflict));
        let first = min(1).combine(&max(5)).and_then(|both| both.combine(&min(3)));
        let last = max(5).combine(&min(3)).and_then(|both| min(1).combine(&both));
        assert_eq!((first, last), (Ok(range(1, 5)), Ok(range(1, 5))));
        let earlier = min(9).combine(&min(3)).and_then(|both| both.combine(&max(5)));
        assert_eq!(earlier, Ok(range(3, 5)), "and min 9 with max 5 first is a conflict: not associative");
    }

    #[test]
    fn combining_needs_equal_selectors() {
        let (a, b) = (Selector::name("a"), Selector::name("b"));
        let refused = must_exist(a.clone() & b.clone()).combine(&must_exist(b.clone() & a.clone()));
        let (one, other) = (a.clone() & b.clone(), b & a);
        assert_eq!(refused, Err(AppendConditionError::IncompatibleSelectors { one, other }));
    }

    #[test]
    fn a_violation_carries_what_was_expected_and_found() {
        let condition = range(2, 3);
        let unmet = condition.judge(Some(at(4))).unwrap_err();
        assert_eq!((unmet.condition.bounds(), unmet.actual), (RevisionBounds::Range(at(2), at(3)), Some(at(4))));
        assert_eq!(unmet.condition.selector(), &any());
        assert_eq!(condition.judge(Some(at(3))), Ok(()));
        let shown = |condition: AppendCondition, latest: Option<u64>| {
            condition.judge(latest.map(at)).unwrap_err().to_string().replace(" where name starts with \"\"", "")
        };
        let text = |expected: &str, found: &str| format!("unmet append condition: expected {expected}, found {found}");
        assert_eq!(shown(min(1), None), text("an event", "none"));
        assert_eq!(shown(min(3), Some(2)), text("an event at revision 3 or later", "the latest at revision 2"));
        assert_eq!(shown(max(0), Some(2)), text("no event", "the latest at revision 2"));
        assert_eq!(shown(range(3, 3), None), text("the latest event at revision 3", "none"));
        assert_eq!(shown(range(3, 4), None), text("the latest event at one of the revisions 3 to 4", "none"));
    }

    #[test]
    fn equal_conditions_have_one_json_form() {
        let leaf = r#"[{"startsWith":{"name":""}}]"#;
        for (condition, json) in [
            (min(1), format!(r#"{{"min":1,"selector":{leaf}}}"#)),
            (max(0), format!(r#"{{"max":0,"selector":{leaf}}}"#)),
            (range(2, 5), format!(r#"{{"max":5,"min":2,"selector":{leaf}}}"#)),
        ] {
            assert_eq!(serde_json::to_string(&condition).unwrap(), json);
            assert_eq!(serde_json::from_str::<AppendCondition>(&json).unwrap(), condition);
            for packed in [rmp_serde::to_vec(&condition).unwrap(), rmp_serde::to_vec_named(&condition).unwrap()] {
                assert_eq!(rmp_serde::from_slice::<AppendCondition>(&packed).unwrap(), condition);
            }
        }
        let refused = |json: String| serde_json::from_str::<AppendCondition>(&json).unwrap_err().to_string();
        assert!(refused(format!(r#"{{"selector":{leaf}}}"#)).contains("without a revision"));
        assert!(refused(format!(r#"{{"min":3,"max":2,"selector":{leaf}}}"#)).contains("from 3 to 2"));
        assert!(refused(r#"{"min":3,"selector":[]}"#.into()).contains("without nodes"));
        assert!(refused(format!(r#"{{"min":3,"most":2,"selector":{leaf}}}"#)).contains("most"));
        let spread = r#"{"selector":[{"equals":{"name":"b"}},{"equals":{"name":"a"}},{"or":[1,0]}],"max":0}"#;
        let condition = must_not_exist(Selector::name("a") | Selector::name("b"));
        assert_eq!(serde_json::from_str::<AppendCondition>(spread).unwrap(), condition);
    }
}

//! What a scan asks for: target, bounds, direction and limit.

use super::error::ReadError;
use super::identifier::{Identifier, Log};
use super::number::{Position, Revision, SequenceNumber};

/// A question to an adapter: which events, in which order. Bounds are in log order whatever the direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanQuery {
    /// What to scan.
    pub target: Identifier,
    /// Only events after this one.
    pub after: Option<SequenceNumber>,
    /// Only events from this one on.
    pub from: Option<SequenceNumber>,
    /// Only events up to and with this one.
    pub until: Option<SequenceNumber>,
    /// Only events from this position of the stream on. Scans of one stream alone may have it.
    pub from_position: Option<Position>,
    /// Only events up to and with this position of the stream. Scans of one stream alone may have it.
    pub until_position: Option<Position>,
    /// The log as it was at this revision; without it, as it is when the scan starts.
    pub at: Option<Revision>,
    /// Newest first.
    pub reverse: bool,
    /// At most so many, counted after ordering; 0 is none.
    pub limit: Option<u64>,
}

impl ScanQuery {
    /// Everything of `target`, oldest first.
    #[must_use]
    pub fn new(target: impl Into<Identifier>) -> Self {
        Self {
            target: target.into(),
            after: None,
            from: None,
            until: None,
            from_position: None,
            until_position: None,
            at: None,
            reverse: false,
            limit: None,
        }
    }

    /// Checks that positions bound one stream only.
    pub(crate) fn check(&self) -> Result<(), ReadError> {
        let bounded = self.from_position.is_some() || self.until_position.is_some();
        if bounded && !matches!(self.target, Identifier::Stream(_)) {
            return Err(ReadError::PositionsNeedStream { target: self.target.to_string() });
        }
        Ok(())
    }

    /// The sequence numbers asked for, as a half-open range within a log of `revision` events.
    pub(crate) fn range(&self, revision: u64) -> std::ops::Range<u64> {
        let after = self.after.map_or(0, |number| number.get().saturating_add(1));
        let start = after.max(self.from.map_or(0, SequenceNumber::get));
        let end = self.until.map_or(u64::MAX, |number| number.get().saturating_add(1));
        let end = end.min(revision).min(self.at.map_or(u64::MAX, Revision::get));
        start.min(end)..end
    }

    /// The positions asked for, as a half-open range.
    pub(crate) fn positions(&self) -> std::ops::Range<u64> {
        let start = self.from_position.map_or(0, Position::get);
        let end = self.until_position.map_or(u64::MAX, |position| position.get().saturating_add(1));
        start.min(end)..end
    }
}

impl Default for ScanQuery {
    fn default() -> Self {
        Self::new(Log::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_meet_in_one_range() {
        let mut query = ScanQuery::default();
        assert_eq!(query.range(10), 0..10);
        query.after = Some(SequenceNumber::new(3));
        query.until = Some(SequenceNumber::new(7));
        assert_eq!(query.range(10), 4..8);
        query.from = Some(SequenceNumber::new(6));
        assert_eq!(query.range(7), 6..7);
        query.after = Some(SequenceNumber::new(u64::MAX));
        assert!(query.range(10).is_empty());
    }
}

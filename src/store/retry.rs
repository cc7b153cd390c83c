//! Deciding again after a conflict.

use crate::vocabulary::error::Error;

/// Runs `attempt` up to `tries` times, as long as it fails because another appender was faster
/// ([`Error::is_conflict`]). Any other error, and the last conflict, is returned.
///
/// `attempt` reads, decides and appends; it must read anew each time. With `tries` 0 it still runs once.
///
/// # Errors
/// What the last attempt returned.
///
/// ```
/// use stratalog::{position_is, retry_on_conflict, EventStore, NewEvent, Result};
/// # fn main() -> Result<()> {
/// let stream = EventStore::in_memory().stream("counters", "one");
/// let receipt = retry_on_conflict(10, || -> Result<_> {
///     let last = stream.latest()?.map(|event| event.position());
///     Ok(stream.publish_if([NewEvent::empty("counted")], position_is(last))?)
/// })?;
/// assert_eq!(receipt.count(), 1);
/// # Ok(())
/// # }
/// ```
pub fn retry_on_conflict<T>(tries: usize, mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..tries {
        match attempt() {
            Err(error) if error.is_conflict() => {}
            settled => return settled,
        }
    }
    attempt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::condition::{UnmetCondition, stream_is_empty};
    use crate::vocabulary::error::AppendError;
    use crate::vocabulary::identifier::Stream;

    fn conflict() -> Error {
        let (condition, stream) = (stream_is_empty(), Stream::new("c", "s"));
        let unmet = UnmetCondition { stream, expected: condition.clone(), condition, actual: None };
        AppendError::from(unmet).into()
    }

    #[test]
    fn conflicts_are_tried_again_and_nothing_else() {
        let mut runs = 0;
        let outcome = retry_on_conflict(5, || {
            runs += 1;
            if runs < 3 { Err(conflict()) } else { Ok(runs) }
        });
        assert_eq!(outcome.unwrap(), 3);
        let mut runs = 0;
        let outcome: Result<(), _> = retry_on_conflict(4, || {
            runs += 1;
            Err(conflict())
        });
        assert!(outcome.unwrap_err().is_conflict());
        assert_eq!(runs, 4);
        let mut runs = 0;
        let outcome: Result<(), _> = retry_on_conflict(4, || {
            runs += 1;
            Err(AppendError::Closed.into())
        });
        assert!(outcome.is_err() && runs == 1);
    }
}

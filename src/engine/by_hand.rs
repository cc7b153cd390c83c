//! The engine driven by hand: each step of an append, and each chore, at a moment that a simulation chooses.

use super::Engine;
use super::housekeeping::Chore;
use crate::format::place::Place;
use crate::log::Tail;
use crate::vocabulary::append::Append;
use crate::vocabulary::error::AppendError;
use crate::vocabulary::transaction::Receipt;

/// A transaction that was judged, and is to be waited for.
#[derive(Debug)]
pub(crate) struct Staged {
    outcome: Result<Receipt, AppendError>,
    place: Place,
}

impl Staged {
    /// Whether it is certain that the transaction was not written: it was refused, or is a repetition.
    pub(crate) fn is_refused(&self) -> bool {
        match &self.outcome {
            Ok(receipt) => receipt.repeat,
            Err(error) => !error.is_unknown(),
        }
    }
}

impl Engine {
    /// The first half of an append: what several threads do before one of them syncs for all.
    ///
    /// # Errors
    /// As [`Engine::append`], where the seat was not had.
    pub(crate) fn stage_by_hand(&self, append: &Append<'_>) -> Result<Staged, AppendError> {
        let (outcome, place) = self.judge_and_stage(append)?;
        Ok(Staged { outcome, place })
    }

    /// The second half.
    ///
    /// # Errors
    /// As [`Engine::append`].
    pub(crate) fn wait_by_hand(&self, staged: Staged) -> Result<Receipt, AppendError> {
        self.wait_visible(staged.place)?;
        staged.outcome
    }

    /// Makes the next segment ready.
    pub(crate) fn prepare_by_hand(&self) {
        let after = self.visible_place().segment;
        self.do_chore(Chore::Prepare { after });
    }

    /// Does the work of deferred appends that were put off.
    pub(crate) fn drain_by_hand(&self) {
        self.do_chore(Chore::Drain);
    }

    /// Makes deferred appends durable.
    pub(crate) fn flush_by_hand(&self) {
        self.do_chore(Chore::Flush);
    }

    /// Syncs what is visible.
    pub(crate) fn sync_by_hand(&self) {
        self.do_chore(Chore::Sync);
    }

    /// Looks twice whether the store is idle, which it is, and writes a watermark then.
    pub(crate) fn watermark_by_hand(&self) {
        self.do_chore(Chore::Watermark);
        self.do_chore(Chore::Watermark);
    }

    /// Makes the next index file that can be made.
    pub(crate) fn index_by_hand(&self) {
        self.do_chore(Chore::Index);
    }

    /// How the log ended when it was opened.
    pub(crate) fn found(&self) -> &Tail {
        &self.found
    }
}

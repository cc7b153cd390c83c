//! Which events of a part a selector selects, found by the lists of its names alone.
//!
//! Each comparison of a selector stands for lists of events: those of a name, or of all names that begin so. AND is found by
//! leaping from one list to the next, beginning with the shortest; OR by taking the nearest of all. Both go forwards and
//! backwards, and begin anywhere. What a selector says twice, or of names that are not there, is settled before any list is read.

mod plan;
mod sides;

#[cfg(test)]
mod tests;

use super::part::PartIndex;
use super::sealed::Damaged;
use crate::vocabulary::selector::Selector;
use plan::Planner;
use sides::{Side, Walk};
use std::ops::Range;

/// The events of a part that a selector selects, or may select.
#[derive(Debug)]
pub(crate) struct Selection {
    root: Side,
    is_sure: bool,
}

/// Which events of a part are asked for, in which direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Their ordinals.
    pub(crate) ordinals: Range<u32>,
    /// Newest first.
    pub(crate) reverse: bool,
    /// Whether the selection must hold no event that is not selected. Else it may where looking at the event is cheaper.
    pub(crate) exact: bool,
}

/// What it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Names looked up or compared.
    pub(crate) names: u64,
    /// Names of streams looked up in an index file although its filter knows of none such. Filters err now and then.
    pub(crate) in_vain: u64,
    /// Places in lists looked at.
    pub(crate) entries: u64,
}

impl Selection {
    /// What `selector` selects of a part within the bounds; `None` where that is nothing for sure. The seed is that of the
    /// store's hashes.
    pub(crate) fn new(
        selector: &Selector,
        index: &PartIndex,
        seed: u64,
        bounds: &Bounds,
        effort: &mut Effort,
    ) -> Result<Option<Self>, Damaged> {
        if bounds.ordinals.is_empty() {
            return Ok(None);
        }
        let mut planner = Planner::new(selector.nodes(), seed, Walk::new(index, bounds, effort), bounds.exact);
        let root = planner.root()?;
        let is_sure = planner.is_sure();
        Ok(root.map(|root| Self { root, is_sure }))
    }

    /// The first event selected from `at` on, in the direction of the bounds; `at` is within them. The index and the bounds are
    /// those that it was made for.
    pub(crate) fn next(
        &mut self,
        index: &PartIndex,
        bounds: &Bounds,
        at: u32,
        effort: &mut Effort,
    ) -> Result<Option<u32>, Damaged> {
        self.root.seek(&mut Walk::new(index, bounds, effort), at)
    }

    /// Whether all of them are selected for sure. Else the event tells.
    pub(crate) fn is_sure(&self) -> bool {
        self.is_sure
    }

    /// How they are found, in words.
    pub(crate) fn describe(&self) -> String {
        let doubt = if self.is_sure { "" } else { ", then by looking at each event" };
        format!("index: {}{doubt}", self.root.describe())
    }
}

impl Bounds {
    /// Where reading begins.
    pub(crate) fn first(&self) -> u32 {
        if self.reverse { self.ordinals.end.saturating_sub(1) } else { self.ordinals.start }
    }

    /// What comes after an ordinal, if it is within the bounds.
    pub(crate) fn after(&self, at: u32) -> Option<u32> {
        let next = if self.reverse { at.checked_sub(1) } else { at.checked_add(1) };
        next.filter(|next| self.ordinals.contains(next))
    }
}

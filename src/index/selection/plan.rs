//! How a selector is answered in one part: which names are looked up, and in which order.

use super::sides::{Side, Walk};
use crate::index::hash::stream_hash;
use crate::index::hot::{EntryId, Which};
use crate::index::sealed::Damaged;
use crate::vocabulary::selector::{EventField, FieldValue, SelectorNode};
use std::collections::HashSet;
use std::sync::Arc;

/// Lists that are read side by side at most. More are taken together first.
const FEW: usize = 32;
/// How many entries of lists are about as quick to read as one event.
const ENTRIES_AN_EVENT: u64 = 16;

/// Plans for one part.
pub(super) struct Planner<'a> {
    nodes: &'a [SelectorNode],
    seed: u64,
    walk: Walk<'a>,
    exact: bool,
    is_sure: bool,
}

/// What one comparison selects.
enum Selected {
    Nothing,
    All,
    Lists(Vec<EntryId>),
    /// So many lists that they were not all counted.
    Many,
}

impl<'a> Planner<'a> {
    pub(super) fn new(nodes: &'a [SelectorNode], seed: u64, walk: Walk<'a>, exact: bool) -> Self {
        Self { nodes, seed, walk, exact, is_sure: true }
    }

    /// Whether all that is found is selected for sure.
    pub(super) fn is_sure(&self) -> bool {
        self.is_sure
    }

    /// What the selector selects, if anything.
    pub(super) fn root(&mut self) -> Result<Option<Side>, Damaged> {
        self.side(self.nodes.len().saturating_sub(1))
    }

    /// What the node at a place selects. Calls itself as deep as AND and OR take turns; selectors have a limit for that.
    fn side(&mut self, at: usize) -> Result<Option<Side>, Damaged> {
        match self.nodes.get(at) {
            None => Ok(None),
            Some(SelectorNode::And(..)) => self.conjunction(&self.joined(at)),
            Some(SelectorNode::Or(..)) => self.alternatives(&self.joined(at)),
            Some(leaf) => match self.look_up(leaf, FEW)? {
                Selected::Many => self.many(leaf).map(Some),
                selected => self.lists(selected),
            },
        }
    }

    /// The places of all nodes that a chain of equal joins joins.
    fn joined(&self, at: usize) -> Vec<usize> {
        let is_and = |node: &SelectorNode| matches!(node, SelectorNode::And(..));
        let root_is_and = self.nodes.get(at).is_some_and(is_and);
        let (mut joined, mut rest) = (Vec::new(), vec![at]);
        while let Some(at) = rest.pop() {
            match self.nodes.get(at) {
                Some(SelectorNode::And(left, right)) if root_is_and => rest.extend([*right as usize, *left as usize]),
                Some(SelectorNode::Or(left, right)) if !root_is_and => rest.extend([*right as usize, *left as usize]),
                _ => joined.push(at),
            }
        }
        joined
    }

    fn alternatives(&mut self, places: &[usize]) -> Result<Option<Side>, Damaged> {
        let (mut entries, mut sides) = (Vec::new(), Vec::new());
        for at in places {
            match self.nodes.get(*at) {
                Some(leaf @ (SelectorNode::Equals(_) | SelectorNode::StartsWith(_))) => {
                    match self.look_up(leaf, usize::MAX)? {
                        Selected::All => return Ok(Some(Side::all(&self.walk))),
                        Selected::Lists(lists) => entries.extend(lists),
                        Selected::Nothing | Selected::Many => {}
                    }
                }
                _ => sides.extend(self.side(*at)?),
            }
        }
        if !entries.is_empty() {
            sides.extend(self.lists(Selected::Lists(entries))?);
        }
        Ok(Side::or(sides))
    }

    fn conjunction(&mut self, places: &[usize]) -> Result<Option<Side>, Damaged> {
        let mut leaves: Vec<&'a SelectorNode> = Vec::new();
        let mut others = Vec::new();
        for at in places {
            match self.nodes.get(*at) {
                Some(leaf @ (SelectorNode::Equals(_) | SelectorNode::StartsWith(_))) => leaves.push(leaf),
                _ => others.push(*at),
            }
        }
        // Names that are there or not are found out quicker than what begins so, and a stream with its category quickest.
        leaves.sort_by_key(|leaf| rank(leaf));
        let mut sides = Vec::new();
        if self.take_stream(&mut leaves, &mut sides)?.is_none() {
            return Ok(None);
        }
        let (mut wide, mut has_all) = (Vec::new(), false);
        for leaf in leaves {
            match self.look_up(leaf, FEW)? {
                Selected::Nothing => return Ok(None),
                Selected::All => has_all = true,
                Selected::Lists(lists) => sides.extend(self.lists(Selected::Lists(lists))?),
                Selected::Many => wide.push(leaf),
            }
        }
        for at in others {
            match self.side(at)? {
                Some(side) => sides.push(side),
                None => return Ok(None),
            }
        }
        let narrowest = sides.iter().map(|side| side.estimate).min();
        for leaf in wide {
            if !self.exact && narrowest.is_some_and(|few| few.saturating_mul(ENTRIES_AN_EVENT) < self.walk.width()) {
                // Looking at the few events is quicker than reading all of the lists.
                self.is_sure = false;
            } else {
                sides.push(self.many(leaf)?);
            }
        }
        if sides.is_empty() && has_all {
            return Ok(Some(Side::all(&self.walk)));
        }
        Ok(Side::and(sides))
    }

    /// Takes category and stream out of what is compared, where both are told, and finds the stream by both at once. `None` where
    /// it is not there.
    fn take_stream(
        &mut self,
        leaves: &mut Vec<&'a SelectorNode>,
        sides: &mut Vec<Side>,
    ) -> Result<Option<()>, Damaged> {
        let Some((_, category)) = find(leaves, category_of) else { return Ok(Some(())) };
        let (place, entries) = if let Some((place, stream)) = find(leaves, stream_of) {
            let hash = stream_hash(self.seed, category, stream);
            if !self.walk.index.may_have_stream(hash)? {
                return Ok(None);
            }
            self.walk.effort.names += 1;
            let Some(entry) = self.walk.index.stream(category, stream, hash)? else {
                self.walk.effort.in_vain += u64::from(self.walk.index.hot().is_none());
                return Ok(None);
            };
            (place, vec![entry])
        } else if let Some((place, prefix)) = find(leaves, stream_prefix_of) {
            let names = &mut self.walk.effort.names;
            let entries = self.walk.index.streams_with_prefix(category, prefix, FEW, names)?;
            if entries.is_empty() {
                return Ok(None);
            }
            if entries.len() > FEW {
                return Ok(Some(()));
            }
            (place, entries)
        } else {
            return Ok(Some(()));
        };
        sides.push(Side::lists(&self.walk, &entries)?);
        // The category says nothing more then. Another one may, that is told beside it: then nothing is selected.
        leaves.remove(place);
        if let Some((place, _)) = find(leaves, category_of) {
            leaves.remove(place);
        }
        Ok(Some(()))
    }

    /// What a comparison selects, as lists; more than `most` are not told.
    fn look_up(&mut self, leaf: &SelectorNode, most: usize) -> Result<Selected, Damaged> {
        let Walk { index, effort, .. } = &mut self.walk;
        let found = |entries: Vec<EntryId>| match entries.len() {
            0 => Selected::Nothing,
            lists if lists > most => Selected::Many,
            _ => Selected::Lists(entries),
        };
        Ok(match leaf {
            SelectorNode::Equals(field) => {
                effort.names += 1;
                match field {
                    FieldValue::Category(name) => found(index.category(name)?.into_iter().collect()),
                    FieldValue::Name(name) => found(index.name(name)?.into_iter().collect()),
                    FieldValue::Stream(name) => found(index.streams_named(name, &mut effort.names)?),
                }
            }
            SelectorNode::StartsWith(field) => match (field.field(), &**field.value()) {
                (EventField::Category | EventField::Name, "") => Selected::All,
                (EventField::Category, prefix) => {
                    found(index.with_prefix(Which::Category, prefix, most, &mut effort.names)?)
                }
                (EventField::Name, prefix) => found(index.with_prefix(Which::Name, prefix, most, &mut effort.names)?),
                (EventField::Stream, prefix) => {
                    let mut entries = index.with_prefix(Which::Stream, prefix, most, &mut effort.names)?;
                    if prefix.is_empty() && entries.len() <= most {
                        // Those without a stream are in the streams named "", of which each category may have one.
                        let without: HashSet<EntryId> =
                            index.streams_named("", &mut effort.names)?.into_iter().collect();
                        entries.retain(|entry| !without.contains(entry));
                    }
                    found(entries)
                }
            },
            SelectorNode::And(..) | SelectorNode::Or(..) => Selected::Nothing,
        })
    }

    fn lists(&mut self, selected: Selected) -> Result<Option<Side>, Damaged> {
        match selected {
            Selected::Nothing | Selected::Many => Ok(None),
            Selected::All => Ok(Some(Side::all(&self.walk))),
            Selected::Lists(entries) if entries.len() <= FEW => Side::lists(&self.walk, &entries).map(Some),
            Selected::Lists(entries) => Side::bits(&mut self.walk, &entries).map(Some),
        }
    }

    /// The events of a comparison that stands for many lists.
    fn many(&mut self, leaf: &SelectorNode) -> Result<Side, Damaged> {
        match self.look_up(leaf, usize::MAX)? {
            Selected::Lists(entries) => Side::bits(&mut self.walk, &entries),
            _ => Side::bits(&mut self.walk, &[]),
        }
    }
}

/// The first comparison of a kind: where it stands, and with what it compares.
fn find<'a>(
    leaves: &[&'a SelectorNode],
    kind: fn(&'a SelectorNode) -> Option<&'a Arc<str>>,
) -> Option<(usize, &'a Arc<str>)> {
    leaves.iter().copied().enumerate().find_map(|(place, leaf)| Some((place, kind(leaf)?)))
}

fn category_of(node: &SelectorNode) -> Option<&Arc<str>> {
    match node {
        SelectorNode::Equals(FieldValue::Category(name)) => Some(name),
        _ => None,
    }
}

fn stream_of(node: &SelectorNode) -> Option<&Arc<str>> {
    match node {
        SelectorNode::Equals(FieldValue::Stream(name)) => Some(name),
        _ => None,
    }
}

fn stream_prefix_of(node: &SelectorNode) -> Option<&Arc<str>> {
    match node {
        // All streams of a category but one are as good as the category, and are looked at one by one.
        SelectorNode::StartsWith(FieldValue::Stream(prefix)) if !prefix.is_empty() => Some(prefix),
        _ => None,
    }
}

/// In which order comparisons are looked up.
fn rank(leaf: &SelectorNode) -> u8 {
    match leaf {
        SelectorNode::Equals(FieldValue::Name(_)) => 0,
        SelectorNode::Equals(FieldValue::Category(_)) => 1,
        SelectorNode::Equals(FieldValue::Stream(_)) => 2,
        SelectorNode::StartsWith(_) => 3,
        SelectorNode::And(..) | SelectorNode::Or(..) => 4,
    }
}

//! A selector's nodes in one list, children before parents: nothing that walks them calls itself.

use super::node::SelectorNode;
use super::{MAX_BYTES, MAX_DEPTH, MAX_NODES, SelectorError};
use crate::vocabulary::limit::{LimitExceeded, LimitedThing};
use std::fmt;
use std::sync::Arc;

/// What a node may compare with.
pub(super) trait Value: Clone {
    /// The text, unless it is still to come.
    fn text(&self) -> Option<&str>;
}

impl Value for Arc<str> {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

/// A whole selector: every node but the last is joined by exactly one other, and stands where a walk in post-order meets it. So
/// equal lists are equal trees.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Tree<V> {
    nodes: Arc<[SelectorNode<V>]>,
    /// How many nodes there are from the root to the farthest comparison.
    depth: usize,
}

/// What there is of a tree below one node.
#[derive(Clone, Copy)]
struct Extent {
    nodes: usize,
    depth: usize,
    bytes: usize,
}

impl Extent {
    fn of(node: &SelectorNode<impl Value>, below: impl Fn(u32) -> Option<Extent>) -> Result<Self, u32> {
        let Some((left, right)) = node.joined() else {
            let bytes = node.compared().and_then(|value| value.value().text()).map_or(0, str::len);
            return Ok(Self { nodes: 1, depth: 1, bytes });
        };
        let (one, other) = (below(left).ok_or(left)?, below(right).ok_or(right)?);
        // Parts may be shared, and shared again: the sums may be beyond all numbers.
        Ok(Self {
            nodes: one.nodes.saturating_add(other.nodes).saturating_add(1),
            depth: one.depth.max(other.depth).saturating_add(1),
            bytes: one.bytes.saturating_add(other.bytes),
        })
    }

    fn check(self) -> Result<(), LimitExceeded> {
        LimitExceeded::check(LimitedThing::SelectorNodes, self.nodes, MAX_NODES)?;
        LimitExceeded::check(LimitedThing::SelectorDepth, self.depth, MAX_DEPTH)?;
        LimitExceeded::check(LimitedThing::SelectorBytes, self.bytes, MAX_BYTES)
    }
}

impl<V: Value> Tree<V> {
    /// A comparison alone.
    pub(super) fn leaf(node: SelectorNode<V>) -> Self {
        Self { nodes: Arc::new([node]), depth: 1 }
    }

    /// Two trees under one node.
    pub(super) fn join(&self, other: &Self, node: impl FnOnce(u32, u32) -> SelectorNode<V>) -> Self {
        // A list of four thousand million nodes does not fit into any memory.
        let place = |nodes: usize| u32::try_from(nodes).unwrap_or(u32::MAX);
        let shift = place(self.nodes.len());
        let moved = other.nodes.iter().map(|node| match node {
            SelectorNode::And(left, right) => SelectorNode::And(left + shift, right + shift),
            SelectorNode::Or(left, right) => SelectorNode::Or(left + shift, right + shift),
            leaf => leaf.clone(),
        });
        let both = self.nodes.len() + other.nodes.len();
        let root = node(shift.saturating_sub(1), place(both).saturating_sub(1));
        let nodes = self.nodes.iter().cloned().chain(moved).chain([root]).collect();
        Self { nodes, depth: self.depth.max(other.depth) + 1 }
    }

    /// A tree from any list in which children stand before parents, and the root last.
    pub(super) fn from_nodes(nodes: &[SelectorNode<V>]) -> Result<Self, SelectorError> {
        LimitExceeded::check(LimitedThing::SelectorNodes, nodes.len(), MAX_NODES)?;
        let mut extents: Vec<Extent> = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let below = |place: u32| extents.get(place as usize).copied();
            let extent = Extent::of(node, below).map_err(|to| SelectorError::ForwardReference { node: index, to })?;
            extents.push(extent);
        }
        let root = extents.last().ok_or(SelectorError::Empty)?;
        root.check()?;
        Ok(Self { nodes: in_post_order(nodes).into(), depth: root.depth })
    }

    /// Whether it keeps the limits; those from outside do.
    pub(super) fn check(&self) -> Result<(), LimitExceeded> {
        let texts = self.nodes.iter().filter_map(|node| node.compared()?.value().text());
        Extent { nodes: self.nodes.len(), depth: self.depth, bytes: texts.map(str::len).sum() }.check()
    }

    pub(super) fn nodes(&self) -> &[SelectorNode<V>] {
        &self.nodes
    }

    /// Whether the whole matches, where `matches` judges its comparisons.
    #[inline]
    pub(super) fn judge(&self, mut matches: impl FnMut(&SelectorNode<V>) -> bool) -> bool {
        if self.depth > 64 {
            return self.judge_deep(matches);
        }
        // One bit for each verdict that waits for its parent, the newest lowest: never more than the tree is deep.
        let mut verdicts = 0_u64;
        for node in &*self.nodes {
            let newest = verdicts & 1;
            match node {
                SelectorNode::And(..) => verdicts = (verdicts >> 1) & (newest | !1),
                SelectorNode::Or(..) => verdicts = (verdicts >> 1) | newest,
                leaf => verdicts = verdicts << 1 | u64::from(matches(leaf)),
            }
        }
        verdicts & 1 == 1
    }

    fn judge_deep(&self, mut matches: impl FnMut(&SelectorNode<V>) -> bool) -> bool {
        let mut verdicts: Vec<bool> = Vec::with_capacity(self.depth);
        for node in &*self.nodes {
            let verdict = match node {
                SelectorNode::And(..) => {
                    let (right, left) = (verdicts.pop(), verdicts.pop());
                    left.unwrap_or_default() & right.unwrap_or_default()
                }
                SelectorNode::Or(..) => {
                    let (right, left) = (verdicts.pop(), verdicts.pop());
                    left.unwrap_or_default() | right.unwrap_or_default()
                }
                leaf => matches(leaf),
            };
            verdicts.push(verdict);
        }
        verdicts.pop().unwrap_or_default()
    }

    /// The same tree with other values.
    pub(super) fn try_map<W: Value, E>(
        &self,
        map: impl FnMut(&SelectorNode<V>) -> Result<SelectorNode<W>, E>,
    ) -> Result<Tree<W>, E> {
        Ok(Tree { nodes: self.nodes.iter().map(map).collect::<Result<_, E>>()?, depth: self.depth })
    }

    /// Writes it as a sentence; `leaf` writes a comparison.
    pub(super) fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        leaf: impl Fn(&mut fmt::Formatter<'_>, &SelectorNode<V>) -> fmt::Result,
    ) -> fmt::Result {
        enum Piece {
            Node(usize),
            Word(&'static str),
        }
        let mut pieces = vec![Piece::Node(self.nodes.len().saturating_sub(1))];
        let joins = |index: u32| self.nodes.get(index as usize).is_some_and(|node| node.joined().is_some());
        while let Some(piece) = pieces.pop() {
            let node = match piece {
                Piece::Word(word) => {
                    f.write_str(word)?;
                    continue;
                }
                Piece::Node(index) => self.nodes.get(index),
            };
            let Some(node) = node else { continue };
            let Some((left, right)) = node.joined() else {
                leaf(f, node)?;
                continue;
            };
            // The last one in is the first one out.
            for (index, is_last) in [(right, true), (left, false)] {
                if joins(index) {
                    pieces.push(Piece::Word(")"));
                }
                pieces.push(Piece::Node(index as usize));
                if joins(index) {
                    pieces.push(Piece::Word("("));
                }
                if is_last {
                    pieces.push(Piece::Word(if matches!(node, SelectorNode::And(..)) { " and " } else { " or " }));
                }
            }
        }
        Ok(())
    }
}

/// The nodes that the last one reaches, in post-order, and what is shared as often as it is used. The caller has bounded that.
fn in_post_order<V: Clone>(nodes: &[SelectorNode<V>]) -> Vec<SelectorNode<V>> {
    enum Step {
        Enter(usize),
        Leave(usize),
    }
    let (mut ordered, mut roots): (Vec<SelectorNode<V>>, Vec<u32>) = (Vec::new(), Vec::new());
    let mut steps = vec![Step::Enter(nodes.len().saturating_sub(1))];
    while let Some(step) = steps.pop() {
        let (Step::Enter(index) | Step::Leave(index)) = step;
        let Some(node) = nodes.get(index) else { continue };
        let node = match (step, node) {
            (Step::Enter(_), SelectorNode::And(left, right) | SelectorNode::Or(left, right)) => {
                steps.extend([Step::Leave(index), Step::Enter(*right as usize), Step::Enter(*left as usize)]);
                continue;
            }
            (_, SelectorNode::And(..)) => {
                let (right, left) = (roots.pop(), roots.pop());
                SelectorNode::And(left.unwrap_or_default(), right.unwrap_or_default())
            }
            (_, SelectorNode::Or(..)) => {
                let (right, left) = (roots.pop(), roots.pop());
                SelectorNode::Or(left.unwrap_or_default(), right.unwrap_or_default())
            }
            (_, leaf) => leaf.clone(),
        };
        roots.push(u32::try_from(ordered.len()).unwrap_or(u32::MAX));
        ordered.push(node);
    }
    ordered
}

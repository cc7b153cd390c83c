//! The names of a dictionary that still grows, in the order of their bytes: made by those who ask, at no cost to the writer.
//!
//! Names have numbers in the order in which they came. Who asks for the first time sorts those that are there, and leaves the
//! result for the next one, who sorts only what came since. What is left are sorted runs, each at least twice as long as the one
//! behind it, so that few are searched and no name is sorted often.

use super::dictionary::Dictionary;
use crate::vocabulary::sync::ArcSwap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Names that are compared one by one rather than sorted.
const FEW: u32 = 128;

/// What was sorted so far.
#[derive(Debug)]
pub(super) struct Ordered {
    runs: ArcSwap<Runs>,
}

/// Numbers of names in the order of the names' bytes, in runs; together those of the first names.
#[derive(Debug, Default)]
struct Runs(Vec<Arc<[u32]>>);

impl Default for Ordered {
    fn default() -> Self {
        Self { runs: ArcSwap::from_pointee(Runs::default()) }
    }
}

impl Ordered {
    /// Gives the numbers of the names that begin with `prefix`, each once, in no order; ends when `take` breaks. Says how many
    /// names were looked at.
    pub(super) fn with_prefix(
        &self,
        dictionary: &Dictionary,
        prefix: &[u8],
        mut take: impl FnMut(u32) -> ControlFlow<()>,
    ) -> u64 {
        let count = dictionary.len();
        let runs = self.up_to(dictionary, count);
        let mut looked_at = 0;
        for run in &runs.0 {
            let start = run.partition_point(|number| key(dictionary, *number) < prefix);
            looked_at += u64::from(run.len().max(1).ilog2()) + 1;
            for number in run.get(start..).unwrap_or_default() {
                looked_at += 1;
                if !key(dictionary, *number).starts_with(prefix) {
                    break;
                }
                if take(*number).is_break() {
                    return looked_at;
                }
            }
        }
        for number in runs.len()..count {
            looked_at += 1;
            if key(dictionary, number).starts_with(prefix) && take(number).is_break() {
                break;
            }
        }
        looked_at
    }

    /// The same for the names that are `name`: streams of several categories.
    pub(super) fn named(&self, dictionary: &Dictionary, name: &[u8], mut take: impl FnMut(u32)) -> u64 {
        let count = dictionary.len();
        let runs = self.up_to(dictionary, count);
        let mut looked_at = 0;
        for run in &runs.0 {
            let start = run.partition_point(|number| key(dictionary, *number) < name);
            looked_at += u64::from(run.len().max(1).ilog2()) + 1;
            let rest = run.get(start..).unwrap_or_default();
            let equal = rest.iter().take_while(|number| key(dictionary, **number) == name);
            equal.for_each(|number| {
                looked_at += 1;
                take(*number);
            });
        }
        for number in runs.len()..count {
            looked_at += 1;
            if key(dictionary, number) == name {
                take(number);
            }
        }
        looked_at
    }

    /// Runs of at least all but a few of the first `count` names.
    fn up_to(&self, dictionary: &Dictionary, count: u32) -> Arc<Runs> {
        let known = self.runs.load_full();
        if count.saturating_sub(known.len()) <= FEW {
            return known;
        }
        let mut runs = known.0.clone();
        let mut last: Vec<u32> = (known.len()..count).collect();
        last.sort_unstable_by(|one, other| key(dictionary, *one).cmp(key(dictionary, *other)));
        while let Some(run) = runs.pop_if(|run| run.len() < 2 * last.len()) {
            last = merged(dictionary, &run, &last);
        }
        runs.push(last.into());
        let runs = Arc::new(Runs(runs));
        // Another thread may have sorted the same, or more: whichever is left is right, and at worst some work is done again.
        self.runs.store(Arc::clone(&runs));
        runs
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.runs.load().len()) * 4
    }
}

impl Runs {
    /// How many names they hold.
    fn len(&self) -> u32 {
        u32::try_from(self.0.iter().map(|run| run.len()).sum::<usize>()).unwrap_or(u32::MAX)
    }
}

fn key(dictionary: &Dictionary, number: u32) -> &[u8] {
    dictionary.label(number).map(super::dictionary::Label::key).unwrap_or_default()
}

fn merged(dictionary: &Dictionary, one: &[u32], other: &[u32]) -> Vec<u32> {
    let mut merged = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one, other);
    while let (Some((left, lefts)), Some((right, rights))) = (one.split_first(), other.split_first()) {
        if key(dictionary, *left) <= key(dictionary, *right) {
            merged.push(*left);
            one = lefts;
        } else {
            merged.push(*right);
            other = rights;
        }
    }
    merged.extend_from_slice(one);
    merged.extend_from_slice(other);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn names_are_found_by_prefix_and_whole_however_many_came_since() {
        let (dictionary, ordered) = (Dictionary::with_room(0), Ordered::default());
        let mut random = fastrand::Rng::with_seed(5);
        let mut names: Vec<String> = Vec::new();
        while names.len() < 6_000 {
            let name = format!("{}-{}", ["a", "ab", "b", ""][random.usize(0..4)], random.u32(0..100_000));
            let owner = random.u32(0..3);
            if dictionary.find(owner, name.as_bytes(), xxh3_64(name.as_bytes())).is_none() {
                dictionary.add(owner, name.as_bytes(), xxh3_64(name.as_bytes()), 0).unwrap();
                names.push(name);
            }
            if random.u32(0..40) > 0 && names.len() < 6_000 {
                continue;
            }
            for wanted in ["", "a", "ab-1", "b-99", "zz", "-"].into_iter().chain([&*names[names.len() / 2].clone()]) {
                let expected = |is: &dyn Fn(&str) -> bool| -> Vec<u32> {
                    (0..).zip(&names).filter(|(_, name)| is(name)).map(|(number, _)| number).collect()
                };
                let mut found = Vec::new();
                let looked_at = ordered.with_prefix(&dictionary, wanted.as_bytes(), |number| {
                    found.push(number);
                    ControlFlow::Continue(())
                });
                found.sort_unstable();
                assert_eq!(found, expected(&|name| name.starts_with(wanted)));
                assert!(looked_at <= found.len() as u64 + 400, "{looked_at} for {}", found.len());
                let mut found = Vec::new();
                ordered.named(&dictionary, wanted.as_bytes(), |number| found.push(number));
                found.sort_unstable();
                assert_eq!(found, expected(&|name| name == wanted));
            }
        }
        let mut first = None;
        ordered.with_prefix(&dictionary, b"", |number| {
            first = Some(number);
            ControlFlow::Break(())
        });
        assert!(first.is_some() && ordered.bytes() > 0);
    }
}

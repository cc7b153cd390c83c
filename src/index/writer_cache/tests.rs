//! Tests: what the writer remembers is true, whatever it forgets, and whoever asks.

use super::*;
use crate::index::RunPlace;
use std::collections::HashMap;

/// What the next of a row of numbers is; the same row every time.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

/// Transactions of random names, through several indexes: what is known is true, and every index is the one that is built
/// without a cache.
fn play(bound: usize, complete: bool) -> (u32, WriterCache) {
    let mut cache = WriterCache::new(7, bound, complete);
    let mut positions: HashMap<(String, String), u64> = HashMap::new();
    let mut spots: HashMap<(String, String), Spot> = HashMap::new();
    let (mut state, mut sequence, mut asked_indexes) = (9, 0, 0);
    for part in 0..4 {
        let (index, plain) = (HotIndex::new(sequence, 7, 0), HotIndex::new(sequence, 7, 0));
        for frame in 0..150 {
            let mut events = Vec::new();
            for _ in 0..1 + next(&mut state) % 3 {
                let (category, stream) = (next(&mut state) % 5, next(&mut state) % 40);
                let key = (format!("category-{category}"), format!("{stream:036}"));
                let position = positions.get(&key).copied().unwrap_or(0);
                let spot = spots.get(&key).copied().unwrap_or_default();
                let NextPosition { next: known, spot } = cache.next_position(&key.0, &key.1, spot, Some(&index));
                spots.insert(key.clone(), spot);
                let staged = events.iter().filter(|(known, _, _)| *known == key).count() as u64;
                assert_eq!(known.unwrap_or(position - staged), position - staged, "{key:?} in part {part}");
                asked_indexes += u32::from(known.is_none());
                for more in 0..1 + next(&mut state) as u64 % 3 {
                    events.push((key.clone(), position + more, format!("n{}", next(&mut state) % 3)));
                    positions.insert(key.clone(), position + more + 1);
                }
            }
            let additions = || {
                events.iter().map(|(key, position, name)| Addition {
                    spot: spots.get(key).copied().unwrap_or_default(),
                    ..Addition::new(&key.0, &key.1, name, *position)
                })
            };
            let id = frame.to_string();
            cache.add(&index, 4_096 + frame * 8, Some(&id), additions()).unwrap();
            plain.add(4_096 + frame * 8, Some(&id), additions()).unwrap();
            sequence += events.len() as u64;
        }
        same(&index, &plain, &positions);
        cache.begin_part();
    }
    (asked_indexes, cache)
}

fn same(index: &HotIndex, plain: &HotIndex, positions: &HashMap<(String, String), u64>) {
    assert_eq!((index.count(), index.transactions()), (plain.count(), plain.transactions()));
    for (category, stream) in positions.keys() {
        for [one, other] in [
            [index.stream(category, stream), plain.stream(category, stream)],
            [index.category(category), plain.category(category)],
            [index.name("n1"), plain.name("n1")],
        ] {
            assert_eq!(one, other);
            let numbers = |index: &HotIndex| -> Vec<Option<u64>> {
                let mut place = RunPlace::default();
                let count = one.map_or(0, |entry| index.count_below(entry, u64::MAX));
                (0..count).map(|at| index.event_at(one.unwrap(), at, &mut place)).collect()
            };
            assert_eq!(numbers(index), numbers(plain));
        }
        let ends = |index: &HotIndex| {
            index.stream(category, stream).map(|entry| (index.first_position(entry), index.next_position(entry)))
        };
        assert_eq!(ends(index), ends(plain));
    }
}

#[test]
fn what_is_known_is_true_and_indexes_come_out_the_same() {
    let (asked, cache) = play(1 << 20, true);
    assert_eq!(asked, 0, "who knows everything asks no index");
    assert!(cache.bytes() > 0);
    let (asked, _) = play(1 << 20, false);
    assert!((150..=210).contains(&asked), "one that begins in the middle asks once for each stream, not {asked} times");
}

#[test]
fn what_was_forgotten_is_asked_of_the_indexes() {
    for bound in [0, 1, 2, 3, 8, 64] {
        let (asked, _) = play(bound, true);
        assert!(asked > 200, "{asked} with room for {bound}");
    }
}

#[test]
fn when_numbers_run_out_everything_is_forgotten() {
    let mut cache = WriterCache::new(7, 100, true);
    let index = HotIndex::new(0, 7, 0);
    let event = Addition::new("a", "b", "n", 4);
    cache.add(&index, 4_096, None, [event].into_iter()).unwrap();
    let next = |cache: &mut WriterCache, stream| cache.next_position("a", stream, Spot::default(), None).next;
    let spot = cache.next_position("a", "b", Spot::default(), None).spot;
    assert_eq!((next(&mut cache, "b"), next(&mut cache, "c")), (Some(5), Some(0)));
    assert_eq!(cache.next_position("a", "b", spot, None).next, Some(5), "by the spot");
    cache.part = u32::MAX;
    cache.begin_part();
    assert_eq!((next(&mut cache, "b"), next(&mut cache, "c")), (None, None));
    assert_eq!(cache.next_position("a", "b", spot, None).next, None, "by the spot");
    cache.next_owner = u32::MAX;
    cache.add(&index, 4_104, None, [Addition { position: 5, ..event }].into_iter()).unwrap();
    assert_eq!((cache.next_owner, next(&mut cache, "b")), (1, Some(6)));
}

/// The streams of one name are told apart by their categories, and a spot that another store's cache gave, or a category that
/// was forgotten since, is worth nothing.
#[test]
fn a_spot_is_looked_at_and_not_believed() {
    let index = HotIndex::new(0, 7, 0);
    let add = |cache: &mut WriterCache, category: &str, stream: &str, position| {
        cache.add(&index, 4_096, None, [Addition::new(category, stream, "n", position)].into_iter()).unwrap();
        cache.next_position(category, stream, Spot::default(), None).spot
    };
    let (mut cache, mut other) = (WriterCache::new(7, 4, true), WriterCache::new(7, 4, true));
    let spot = add(&mut cache, "a", "b", 1);
    assert_ne!(spot.note(), 0);
    add(&mut other, "c", "b", 8);
    assert_eq!(other.next_position("a", "b", spot, None).next, Some(0), "no such stream there");
    assert_eq!(other.next_position("c", "b", spot, None).next, Some(9), "one of that name is, of another category");
    assert_eq!(cache.next_position("c", "b", spot, None).next, Some(0));
    assert_eq!(cache.next_position("a", "b", Spot::of(u64::MAX), None).next, Some(2), "nowhere");
    // The category is forgotten, and comes again under another number: what is known of its streams is new.
    for category in ["d", "e", "f", "g", "h", "i", "j"] {
        add(&mut cache, category, "x", 0);
    }
    assert_eq!(cache.next_position("a", "b", spot, None).next, None, "forgotten");
    add(&mut cache, "a", "b", 2);
    assert_eq!(cache.next_position("a", "b", spot, None).next, Some(3), "not what was known under the old number");
}

//! Selections against looking at every event, in both kinds of index.

use super::*;
use crate::format::place::Place;
use crate::index::hash_seed;
use crate::index::hot::{Addition, HotIndex};
use crate::index::sealed::{Covers, IndexBuilder, IndexedEvent};
use crate::segment::Chain;
use crate::testing::fuzz::index::{SALT, SEGMENT, STORE, open};
use crate::vocabulary::selector::EventNames;
use crate::vocabulary::time::Timestamp;
use fastrand::Rng;

const BASE: u64 = 1_000;

type Names = (String, String, String);

fn random_events(random: &mut Rng, count: usize) -> Vec<Names> {
    let mut name = |kind: &str, many: u32| match random.u32(0..12) {
        0 => String::new(),
        1 => kind.to_owned(),
        _ => format!("{kind}{}", random.u32(0..many)),
    };
    (0..count).map(|_| (name("c", 4), name("s", 300), name("n", 12))).collect()
}

fn random_selector(random: &mut Rng, events: &[Names], depth: u32) -> Selector {
    if depth > 0 && random.u32(0..5) < 3 {
        let (one, other) = (random_selector(random, events, depth - 1), random_selector(random, events, depth - 1));
        return if random.bool() { one & other } else { one | other };
    }
    let (category, stream, name) = events[random.usize(0..events.len())].clone();
    let mut start = |text: &str| text.get(..random.usize(0..=text.len())).unwrap_or_default().to_owned();
    let (of_category, of_stream, of_name) = (start(&category), start(&stream), start(&name));
    match random.u32(0..8) {
        0 => Selector::category(category),
        1 => Selector::stream(stream),
        2 => Selector::name(name),
        3 => Selector::category_prefix(of_category),
        4 => Selector::stream_prefix(of_stream),
        5 => Selector::name_prefix(of_name),
        6 => Selector::category(category) & Selector::stream(stream),
        _ => Selector::no_stream(),
    }
}

fn indexes(events: &[Names]) -> [PartIndex; 2] {
    let hot = HotIndex::new(BASE, hash_seed(&STORE), 0);
    let mut builder = IndexBuilder::new(hash_seed(&STORE), BASE);
    for (ordinal, (category, stream, name)) in (0..).zip(events) {
        let offset = 4_096 + 64 * ordinal;
        hot.add(offset, None, [Addition::new(category, stream, name, 0)].into_iter()).unwrap();
        let mut adding = builder.begin(offset, Timestamp::UNIX_EPOCH).unwrap();
        let event = IndexedEvent {
            category: category.as_bytes(),
            stream: stream.as_bytes(),
            name: name.as_bytes(),
            position: 0,
            occurred_at: Timestamp::UNIX_EPOCH,
            id: None,
        };
        adding.event(&event).unwrap();
        adding.finish(None, &[]);
    }
    let sealed = open(&builder.finish(&covers(&builder)).unwrap()).unwrap();
    [PartIndex::Hot(Box::new(hot)), PartIndex::Sealed(Box::new(sealed))]
}

fn covers(builder: &IndexBuilder) -> Covers {
    let recorded_at = Timestamp::UNIX_EPOCH;
    Covers {
        store_id: STORE,
        segment: SEGMENT,
        salt: SALT,
        from: 4_096,
        end: 4_096 + 64 * u64::from(builder.count()),
        last: 4_096,
        base: BASE,
        count: builder.count(),
        transactions: builder.transactions(),
        chain: Chain {
            sequence: BASE + u64::from(builder.count()),
            link: 7,
            epoch: 2,
            recorded_at,
            mark: Place { segment: SEGMENT, offset: 4_096 },
            closed: false,
        },
        first_recorded_at: Some(recorded_at),
    }
}

/// All that is found, in order, and whether it is selected for sure.
fn found(selector: &Selector, index: &PartIndex, bounds: &Bounds, effort: &mut Effort) -> (Vec<u32>, bool) {
    let Some(mut selection) = Selection::new(selector, index, hash_seed(&STORE), bounds, effort).unwrap() else {
        return (Vec::new(), true);
    };
    let (mut all, mut next) = (Vec::new(), Some(bounds.first()));
    while let Some(at) = next {
        let Some(ordinal) = selection.next(index, bounds, at, effort).unwrap() else { break };
        all.push(ordinal);
        next = bounds.after(ordinal);
    }
    (all, selection.is_sure())
}

#[test]
fn selections_are_what_looking_at_every_event_finds() {
    let mut random = Rng::with_seed(11);
    let (mut some, mut unsure) = (0, 0);
    for round in 0..60 {
        let events = random_events(&mut random, [3, 90, 700, 2_500][round % 4]);
        let indexes = indexes(&events);
        for _ in 0..60 {
            let selector = random_selector(&mut random, &events, 3);
            let count = u32::try_from(events.len()).unwrap();
            let (one, other) = (random.u32(0..=count), random.u32(0..=count));
            let ordinals = if random.bool() { 0..count } else { one.min(other)..one.max(other) };
            let bounds = Bounds { ordinals, reverse: random.bool(), exact: random.bool() };
            let is_selected = |ordinal: &u32| {
                let (category, stream, name) = &events[*ordinal as usize];
                selector.matches(&EventNames::new(category, stream, name))
            };
            let mut expected: Vec<u32> = bounds.ordinals.clone().filter(is_selected).collect();
            if bounds.reverse {
                expected.reverse();
            }
            for index in &indexes {
                let (mut all, is_sure) = found(&selector, index, &bounds, &mut Effort::default());
                assert!(is_sure || !bounds.exact);
                if !is_sure {
                    all.retain(is_selected);
                    unsure += 1;
                }
                assert_eq!(all, expected, "{selector} {bounds:?} of {count}");
            }
            some += u32::from(!expected.is_empty());
        }
    }
    assert!(some > 1_000 && unsure > 20, "{some} found something, {unsure} had to look");
}

#[test]
fn few_events_are_found_by_looking_at_few_entries() {
    let mut random = Rng::with_seed(12);
    let mut events: Vec<Names> = (0..40_000)
        .map(|_| ("c".into(), format!("s{}", random.u32(0..9_000)), ["n", "m"][random.usize(0..2)].into()))
        .collect();
    for place in (0..40_000).step_by(4_000) {
        events[place].1 = "rare-1".into();
    }
    for index in &indexes(&events) {
        for selector in [
            Selector::stream("rare-1"),
            Selector::stream_prefix("rare"),
            Selector::category("c") & Selector::stream("rare-1"),
            Selector::stream("rare-1") & Selector::name_prefix("") & Selector::category_prefix("c"),
            Selector::name("n") & Selector::stream_prefix("rare-") | Selector::name("m") & Selector::stream("rare-1"),
            Selector::stream_prefix("s") & Selector::stream_prefix("rare"),
        ] {
            let mut effort = Effort::default();
            let bounds = Bounds { ordinals: 0..40_000, reverse: false, exact: false };
            let (all, _) = found(&selector, index, &bounds, &mut effort);
            assert!(all.len() <= 10, "{selector}: {}", all.len());
            assert!(effort.names + effort.entries < 500, "{selector}: {effort:?}");
        }
    }
}

#[test]
fn two_dense_sides_without_a_common_event_are_leapt_through() {
    let events: Vec<Names> =
        (0..10_000).map(|number| (format!("c{}", number % 2), "s".into(), format!("n{}", number % 2))).collect();
    for index in &indexes(&events) {
        let selector = Selector::category("c0") & Selector::name("n1");
        for reverse in [false, true] {
            let mut effort = Effort::default();
            let bounds = Bounds { ordinals: 0..10_000, reverse, exact: true };
            assert!(found(&selector, index, &bounds, &mut effort).0.is_empty());
            assert!(effort.entries >= 5_000 && effort.entries < 25_000, "{effort:?}");
        }
    }
}

#[test]
fn plans_say_what_they_do() {
    let events = random_events(&mut Rng::with_seed(3), 2_000);
    let [index, _] = indexes(&events);
    let describe = |selector: &Selector, exact| {
        let bounds = Bounds { ordinals: 0..2_000, reverse: false, exact };
        let selection = Selection::new(selector, &index, hash_seed(&STORE), &bounds, &mut Effort::default()).unwrap();
        selection.map(|selection| selection.describe())
    };
    let narrow = Selector::stream("s7") & Selector::stream_prefix("s");
    assert_eq!(describe(&narrow, false).unwrap(), "index: lists of some of the streams, then by looking at each event");
    assert_eq!(
        describe(&narrow, true).unwrap(),
        "index: (lists of some of the streams and lists of many names, taken together)",
    );
    assert_eq!(describe(&Selector::name_prefix(""), true).unwrap(), "index: all events");
    assert_eq!(describe(&Selector::name("n1"), true).unwrap(), "index: the list of a name");
    assert_eq!(describe(&(Selector::name("n1") & Selector::category("zzz")), true), None);
}

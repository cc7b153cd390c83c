//! Queries against a plain filter over all events, which knows nothing of indexes, cursors and bounds: random ones of every kind.

use super::*;
use stratalog::{Access, EventNames, SelectorNode};

/// How many databases, and how many queries of each. `STRATALOG_QUERIES` asks for more of these.
const DATABASES: u64 = 6;
const QUERIES: u64 = 400;

const CATEGORIES: [&str; 3] = ["accounts", "accruals", "audits"];
const STREAMS: [&str; 5] = ["", "a", "ab", "b", "é"];
const NAMES: [&str; 4] = ["opened", "open", "closed", "moved"];

/// An event as the plain filter knows it.
#[derive(Debug, Clone)]
struct Known {
    category: &'static str,
    stream: &'static str,
    name: &'static str,
    time: Timestamp,
    revision: u64,
}

fn pick<'a>(random: &mut fastrand::Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(0..from.len())]
}

fn time(random: &mut fastrand::Rng) -> Timestamp {
    // Few times, so that many events have the same.
    Timestamp::from_unix(random.i64(0..12), 0).unwrap()
}

/// Events of a transaction, as they are proposed and as the filter knows them.
fn batch(random: &mut fastrand::Rng, first: u64) -> (Vec<ProspectiveEvent>, Vec<Known>) {
    let known: Vec<Known> = (first..first + random.u64(1..8))
        .map(|revision| Known {
            category: pick(random, &CATEGORIES),
            stream: pick(random, &STREAMS),
            name: pick(random, &NAMES),
            time: time(random),
            revision,
        })
        .collect();
    let proposed =
        known.iter().map(|known| event(known.category, known.stream, known.name).with_occurred_at(known.time));
    (proposed.collect(), known)
}

fn selector(random: &mut fastrand::Rng, levels: u32) -> Selector {
    if levels > 0 && random.bool() {
        let (one, other) = (selector(random, levels - 1), selector(random, levels - 1));
        return if random.bool() { one & other } else { one | other };
    }
    match random.u32(0..8) {
        0 => Selector::category(pick(random, &CATEGORIES)),
        1 => Selector::category_prefix(pick(random, &["a", "acc", "accounts", "", "z"])),
        2 => Selector::stream(pick(random, &STREAMS)),
        3 => Selector::stream_prefix(pick(random, &["", "a", "é", "abc"])),
        4 => Selector::no_stream(),
        5 => Selector::name(pick(random, &NAMES)),
        6 => Selector::name_prefix(pick(random, &["open", "", "m"])),
        _ => Selector::name(pick(random, &["never", "Opened"])),
    }
}

/// Bounds, order, direction and limit, as they are told to both.
#[derive(Debug, Clone)]
struct Asked {
    selector: Selector,
    scope: Option<Timestamp>,
    after: Option<u64>,
    until: Option<u64>,
    effective_from: Option<(Timestamp, u64)>,
    effective_until: Option<Timestamp>,
    by_effective_time: bool,
    reverse: bool,
    limit: Option<u64>,
    access: Access,
}

impl Asked {
    fn random(random: &mut fastrand::Rng, revision: u64) -> Self {
        let number = |random: &mut fastrand::Rng| random.u8(0..3).eq(&0).then(|| random.u64(0..=revision + 2));
        let moment = |random: &mut fastrand::Rng| random.u8(0..3).eq(&0).then(|| time(random));
        let levels = random.u32(0..4);
        Self {
            selector: selector(random, levels),
            scope: moment(random),
            after: number(random),
            until: number(random),
            effective_from: moment(random).map(|moment| (moment, random.u64(0..=revision + 2))),
            effective_until: moment(random),
            by_effective_time: random.bool(),
            reverse: random.bool(),
            limit: random.bool().then(|| random.u64(0..20)),
            access: [Access::Best, Access::Index, Access::Scan][random.usize(0..3)],
        }
    }

    /// The query.
    fn of(&self, at: &DatabaseAt) -> Query {
        let at = self.scope.map_or_else(|| at.clone(), |time| at.at_effective_timestamp(time));
        let mut query = at.query(self.selector.clone()).access(self.access);
        if let Some(after) = self.after {
            query = query.after(revision(after));
        }
        if let Some(until) = self.until {
            query = query.until(revision(until));
        }
        if let Some((time, number)) = self.effective_from {
            query = query.effective_from(time, revision(number));
        }
        if let Some(until) = self.effective_until {
            query = query.effective_until(until);
        }
        if self.by_effective_time {
            query = query.by_effective_time();
        }
        if self.reverse {
            query = query.reverse();
        }
        if let Some(limit) = self.limit {
            query = query.limit(limit);
        }
        query
    }

    /// The same, the plain way.
    fn plainly(&self, events: &[Known]) -> Vec<u64> {
        let mut found: Vec<&Known> = events
            .iter()
            .filter(|event| {
                let names = [event.category, event.stream, event.name];
                meant(self.selector.nodes(), self.selector.nodes().len() - 1, names)
                    && self.scope.is_none_or(|scope| event.time <= scope)
                    && self.effective_until.is_none_or(|until| event.time <= until)
                    && self.after.is_none_or(|after| event.revision > after)
                    && self.until.is_none_or(|until| event.revision <= until)
                    && self.effective_from.is_none_or(|(time, number)| {
                        event.time > time || (event.time == time && event.revision >= number)
                    })
            })
            .collect();
        if self.by_effective_time || self.effective_from.is_some() {
            found.sort_by_key(|event| event.time);
        }
        if self.reverse {
            found.reverse();
        }
        let limit = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        found.into_iter().take(limit).map(|event| event.revision).collect()
    }

    /// What the selector alone selects, the plain way.
    fn plainly_all(&self, events: &[Known]) -> Vec<u64> {
        let alone = Self {
            scope: None,
            after: None,
            until: None,
            effective_from: None,
            effective_until: None,
            by_effective_time: false,
            reverse: false,
            limit: None,
            ..self.clone()
        };
        alone.plainly(events)
    }
}

/// Whether the node at this place selects an event of these names: the definition, word by word.
fn meant(nodes: &[SelectorNode], place: usize, [category, stream, name]: [&str; 3]) -> bool {
    use stratalog::FieldValue::{Category, Name, Stream};
    let names = [category, stream, name];
    match &nodes[place] {
        SelectorNode::Equals(Category(value)) => category == &**value,
        SelectorNode::Equals(Stream(value)) => stream == &**value,
        SelectorNode::Equals(Name(value)) => name == &**value,
        SelectorNode::StartsWith(Category(value)) => category.starts_with(&**value),
        SelectorNode::StartsWith(Stream(value)) => !stream.is_empty() && stream.starts_with(&**value),
        SelectorNode::StartsWith(Name(value)) => name.starts_with(&**value),
        SelectorNode::And(one, other) => meant(nodes, *one as usize, names) && meant(nodes, *other as usize, names),
        SelectorNode::Or(one, other) => meant(nodes, *one as usize, names) || meant(nodes, *other as usize, names),
        other => panic!("{other:?}"),
    }
}

#[test]
fn queries_find_what_a_plain_filter_does() {
    let queries = std::env::var("STRATALOG_QUERIES").ok().map_or(QUERIES, |count| count.parse().unwrap());
    let seed = std::cell::Cell::new(0);
    for _ in 0..DATABASES {
        on_both(|database, _| {
            seed.set(seed.get() + 1);
            check(&database, seed.get(), queries);
        });
    }
}

fn check(database: &Database, seed: u64, queries: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut known = Vec::new();
    let mut ends = vec![0];
    for _ in 0..random.u64(0..40) {
        let (proposed, events) = batch(&mut random, known.len() as u64 + 1);
        database.transact(proposed).unwrap();
        known.extend(events);
        ends.push(known.len() as u64);
    }
    for number in 0..queries {
        // Some revision, and what is speculated on top of it.
        let basis = ends[random.usize(0..ends.len())];
        let mut at = database.at_revision(revision(basis), AT_ONCE).unwrap();
        let mut there: Vec<Known> = known[..usize::try_from(basis).unwrap()].to_vec();
        for _ in 0..random.u32(0..3) {
            let (proposed, events) = batch(&mut random, there.len() as u64 + 1);
            at = at.speculate(proposed).unwrap();
            there.extend(events);
        }
        let asked = Asked::random(&mut random, there.len() as u64);
        let expected = asked.plainly(&there);
        assert_eq!(revisions(asked.of(&at)), expected, "database {seed}, query {number}: {asked:?}");
        if number % 16 == 0 {
            assert_eq!(asked.of(&at).explain().unwrap().found, expected.len() as u64, "{asked:?}");
            let selected =
                |known: &&Known| asked.selector.matches(&EventNames::new(known.category, known.stream, known.name));
            let whole = asked.plainly_all(&there);
            assert_eq!(there.iter().filter(selected).map(|known| known.revision).collect::<Vec<_>>(), whole);
        }
    }
}

//! Everything there is to ask of an index, and the right answers.

use super::content::{Content, Event, Transaction};
use crate::index::sealed::{Damaged, Likely, PostingBlock, SealedIndex};
use crate::index::{Addition, EntryId, HotIndex, RunPlace, hash_seed, stream_hash};
use crate::vocabulary::event::EventId;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::SystemRecord;
use std::collections::{BTreeMap, BTreeSet};

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Numbers(Vec<u64>),
    Names(Vec<Vec<u8>>),
    Records(Vec<SystemRecord>),
    Times(Vec<Timestamp>),
}

/// Where a name occurs.
#[derive(Debug, Default)]
struct Occurs {
    first_position: u64,
    ordinals: Vec<u32>,
}

/// What the events say, the obvious way.
#[derive(Debug, Default)]
struct Facts<'c> {
    categories: BTreeMap<&'c [u8], Occurs>,
    streams: BTreeMap<(&'c [u8], &'c [u8]), Occurs>,
    names: BTreeMap<&'c [u8], Occurs>,
}

impl<'c> Facts<'c> {
    fn of(content: &'c Content) -> Self {
        let mut facts = Self::default();
        for (ordinal, (_, event)) in (0..).zip(content.events()) {
            let (category, stream) = (event.category.as_bytes(), event.stream.as_bytes());
            facts.categories.entry(category).or_default().ordinals.push(ordinal);
            facts.names.entry(event.name.as_bytes()).or_default().ordinals.push(ordinal);
            let first = || Occurs { first_position: event.position, ordinals: Vec::new() };
            facts.streams.entry((category, stream)).or_insert_with(first).ordinals.push(ordinal);
        }
        facts
    }
}

/// Names that are asked for whether they are there or not.
const ODD_NAMES: [&str; 6] = ["", "a", "ab", "é", "stream-0", "nowhere"];

/// Sequence numbers up to which is asked.
fn limits(content: &Content) -> [u64; 5] {
    let count = u64::from(content.count());
    [0, content.base, content.base + count / 3, content.base + count, u64::MAX]
}

/// All (category, stream, name) that are asked for: each that occurs once, and odd ones.
fn wanted(content: &Content) -> BTreeSet<(&str, &str, &str)> {
    let occurring = content.events().map(|(_, event)| (&*event.category, &*event.stream, &*event.name));
    occurring.chain(ODD_NAMES.map(|name| (name, name, name))).chain([("a", "b", "a"), ("a", "", "ab")]).collect()
}

type Asked = Vec<(String, Result<Answer, Damaged>)>;

/// Asks an index everything about a content.
pub(crate) fn ask(index: &SealedIndex, content: &Content) -> Asked {
    let mut asked = Asked::new();
    let seed = hash_seed(&super::STORE);
    for (category, stream, name) in wanted(content) {
        let named = |which, found| (format!("{which} {category}/{stream}/{name}"), found);
        asked.push(named("category", entry(index, content, index.category(category), false)));
        asked.push(named("stream", entry(index, content, index.stream(category, stream), true)));
        asked.push(named("name", entry(index, content, index.name(name), false)));
        asked.push(named("streams named", entries(index, index.streams_named(stream))));
        let found = index.may_have_stream(stream_hash(seed, category, stream));
        let found = found.and_then(|may| Ok(may || index.stream(category, stream)?.is_none()));
        asked.push(named("filter", found.map(|right| Answer::Numbers(vec![u64::from(right)]))));
        let found = index.likely_stream(category, stream, stream_hash(seed, category, stream));
        let found = found.and_then(|likely| Ok(is_right(likely, index.stream(category, stream)?)));
        asked.push(named("table", found.map(|right| Answer::Numbers(vec![u64::from(right)]))));
    }
    for prefix in ODD_NAMES {
        let named = |which, found| (format!("{which} {prefix}..."), found);
        let list = |found: Result<Vec<EntryId>, Damaged>| entries(index, found);
        asked.push(named("categories", list(index.categories_with_prefix(prefix).map(Iterator::collect))));
        asked.push(named("streams of a", list(index.streams_with_prefix("a", prefix).map(Iterator::collect))));
        asked.push(named("names", list(index.names_with_prefix(prefix).map(Iterator::collect))));
        asked.push(named("streams", list(index.streams_named_with_prefix(prefix, usize::MAX))));
    }
    for limit in limits(content) {
        asked.extend(lists(index, limit));
    }
    asked.extend(frames(index, content));
    asked.extend(ids(index, content));
    asked.extend(figures(index, content));
    asked
}

/// Whether a table's answer goes with the stream that is there.
fn is_right(likely: Option<Likely>, stream: Option<EntryId>) -> bool {
    match (likely, stream) {
        (None, stream) => stream.is_none(),
        (Some(likely), Some(stream)) => likely.entry == stream,
        // Another of the same hash.
        (Some(likely), None) => !likely.is_sure,
    }
}

fn entry(
    index: &SealedIndex,
    content: &Content,
    found: Result<Option<EntryId>, Damaged>,
    positions: bool,
) -> Result<Answer, Damaged> {
    let Some(id) = found? else { return Ok(Answer::Numbers(Vec::new())) };
    let mut numbers = vec![u64::from(index.len(id)?)];
    if positions {
        numbers.extend([index.first_position(id)?, index.next_position(id)?]);
    }
    for limit in limits(content) {
        numbers.push(u64::from(index.count_below(id, limit)?));
    }
    numbers.extend(ordinals(index, id)?);
    Ok(Answer::Numbers(numbers))
}

/// All ordinals of an entry, block by block, each of which is the same from any index within it.
fn ordinals(index: &SealedIndex, id: EntryId) -> Result<Vec<u64>, Damaged> {
    let mut numbers = Vec::new();
    let (mut block, mut again) = (PostingBlock::default(), PostingBlock::default());
    loop {
        index.postings(id, block.start + block.len, &mut block)?;
        let Some(last) = block.len.checked_sub(1) else { return Ok(numbers) };
        assert_eq!(block.start as usize, numbers.len());
        index.postings(id, block.start + last, &mut again)?;
        assert_eq!((again.start, again.numbers()), (block.start, block.numbers()));
        assert_eq!(block.get(block.start + last), block.numbers().last().copied());
        numbers.extend(block.numbers().iter().map(|ordinal| u64::from(*ordinal)));
    }
}

/// Entries by their ordinals, one after the other.
fn entries(index: &SealedIndex, found: Result<Vec<EntryId>, Damaged>) -> Result<Answer, Damaged> {
    let mut numbers = Vec::new();
    for id in found? {
        numbers.push(u64::MAX);
        numbers.extend(ordinals(index, id)?);
    }
    Ok(Answer::Numbers(numbers))
}

fn lists(index: &SealedIndex, limit: u64) -> Asked {
    let mut asked = Asked::new();
    let mut names = Vec::new();
    let found = index.category_names(limit, |name| names.push(name.to_vec()));
    asked.push((format!("categories below {limit}"), found.map(|()| Answer::Names(names))));
    let mut names = Vec::new();
    let found = index.stream_names("a", limit, |name| names.push(name.to_vec()));
    asked.push((format!("streams of a below {limit}"), found.map(|()| Answer::Names(names))));
    let mut names = Vec::new();
    let found = index.all_streams(limit, |category, name| names.extend([category.to_vec(), name.to_vec()]));
    asked.push((format!("all streams below {limit}"), found.map(|()| Answer::Names(names))));
    asked
}

fn frames(index: &SealedIndex, content: &Content) -> Asked {
    let count = content.count();
    let numbers = [content.base.wrapping_sub(1), content.base + u64::from(count), u64::MAX];
    let mut asked = Asked::new();
    for number in numbers.into_iter().chain((0..count).step_by(7).map(|ordinal| content.base + u64::from(ordinal))) {
        let found = index.frame_of(number).map(|offset| Answer::Numbers(offset.into_iter().collect()));
        asked.push((format!("frame of {number}"), found));
    }
    for backwards in [false, true] {
        let mut ordinals: Vec<u32> = (0..count).collect();
        if backwards {
            ordinals.reverse();
        }
        let mut offsets = vec![0; ordinals.len()];
        let found = index.frames_of(&ordinals, &mut offsets).map(|()| Answer::Numbers(offsets));
        asked.push((format!("all frames, backwards {backwards}"), found));
    }
    asked
}

fn ids(index: &SealedIndex, content: &Content) -> Asked {
    let mut asked = Asked::new();
    let given = content.transactions.iter().filter_map(|frame| frame.id.as_deref());
    for id in given.collect::<BTreeSet<&str>>().into_iter().chain(["", "nowhere"]) {
        asked.push((format!("transaction {id}"), index.transactions_with(id).map(Answer::Numbers)));
    }
    let given = content.events().filter_map(|(_, event)| Some((&*event.category, event.id.clone()?)));
    let nowhere = EventId::from("nowhere");
    for (category, id) in given.collect::<BTreeSet<_>>().into_iter().chain([("a", nowhere)]) {
        let found = index.event_ids_with(category, &id);
        let found = found.map(|ordinals| Answer::Numbers(ordinals.into_iter().map(u64::from).collect()));
        asked.push((format!("event {id} in {category}"), found));
    }
    asked
}

fn figures(index: &SealedIndex, content: &Content) -> Asked {
    let mut asked = vec![
        ("records".to_owned(), index.records().map(Answer::Records)),
        ("born".to_owned(), Ok(Answer::Numbers(vec![u64::from(index.born_streams()), u64::from(index.blocks())]))),
    ];
    for block in 0..content.count().div_ceil(256) {
        let times = index.times(block);
        let times = times.map(|all| vec![all.first_recorded_at, all.least_occurred_at, all.greatest_occurred_at]);
        asked.push((format!("times {block}"), times.map(Answer::Times)));
    }
    for instant in instants(content) {
        let bound = index.first_recorded_at_or_after(instant).map(|bound| Answer::Numbers(vec![u64::from(bound)]));
        asked.push((format!("recorded at {instant}"), bound));
    }
    asked
}

fn instants(content: &Content) -> BTreeSet<Timestamp> {
    let recorded = content.transactions.iter().map(|frame| frame.recorded_at);
    recorded.chain([Timestamp::MIN, Timestamp::MAX]).collect()
}

/// The right answers, from the events themselves.
pub(crate) fn expected(content: &Content) -> Vec<(String, Answer)> {
    let facts = Facts::of(content);
    let mut right = Vec::new();
    for (category, stream, name) in wanted(content) {
        let named = |which, numbers| (format!("{which} {category}/{stream}/{name}"), Answer::Numbers(numbers));
        let key = (category.as_bytes(), stream.as_bytes());
        right.push(named("category", numbers(content, facts.categories.get(category.as_bytes()), false)));
        right.push(named("stream", numbers(content, facts.streams.get(&key), true)));
        right.push(named("name", numbers(content, facts.names.get(name.as_bytes()), false)));
        let same = facts.streams.iter().filter(|((_, key), _)| *key == stream.as_bytes());
        right.push(named("streams named", listed(same.map(|(_, occurs)| occurs))));
        right.push(named("filter", vec![1]));
        right.push(named("table", vec![1]));
    }
    for prefix in ODD_NAMES {
        let named = |which, numbers| (format!("{which} {prefix}..."), Answer::Numbers(numbers));
        let fits = |name: &[u8]| name.starts_with(prefix.as_bytes());
        let some = facts.categories.iter().filter(|(name, _)| fits(name));
        right.push(named("categories", listed(some.map(|(_, occurs)| occurs))));
        let some = facts.streams.iter().filter(|((category, name), _)| *category == b"a" && fits(name));
        right.push(named("streams of a", listed(some.map(|(_, occurs)| occurs))));
        let some = facts.names.iter().filter(|(name, _)| fits(name));
        right.push(named("names", listed(some.map(|(_, occurs)| occurs))));
        let mut some: Vec<_> = facts.streams.iter().filter(|((_, name), _)| fits(name)).collect();
        some.sort_by_key(|((category, name), _)| (*name, *category));
        right.push(named("streams", listed(some.into_iter().map(|(_, occurs)| occurs))));
    }
    for limit in limits(content) {
        let seen = |occurs: &Occurs| occurs.ordinals[0] < below(content, limit);
        let names = facts.categories.iter().filter(|(_, occurs)| seen(occurs)).map(|(name, _)| name.to_vec());
        right.push((format!("categories below {limit}"), Answer::Names(names.collect())));
        let streams = || facts.streams.iter().filter(|(_, occurs)| seen(occurs)).map(|(key, _)| key);
        let names = streams().filter(|(category, _)| *category == b"a").map(|(_, name)| name.to_vec());
        right.push((format!("streams of a below {limit}"), Answer::Names(names.collect())));
        let names = streams().flat_map(|(category, name)| [category.to_vec(), name.to_vec()]);
        right.push((format!("all streams below {limit}"), Answer::Names(names.collect())));
    }
    right.extend(right_frames(content));
    right.extend(right_ids(content));
    right.extend(right_figures(content, &facts));
    right
}

/// The ordinal that all events below a sequence number are below.
fn below(content: &Content, limit: u64) -> u32 {
    u32::try_from(limit.saturating_sub(content.base)).unwrap_or(u32::MAX)
}

fn numbers(content: &Content, occurs: Option<&Occurs>, positions: bool) -> Vec<u64> {
    let Some(occurs) = occurs else { return Vec::new() };
    let count = occurs.ordinals.len() as u64;
    let mut numbers = vec![count];
    if positions {
        numbers.extend([occurs.first_position, occurs.first_position + count]);
    }
    for limit in limits(content) {
        numbers.push(occurs.ordinals.iter().filter(|ordinal| **ordinal < below(content, limit)).count() as u64);
    }
    numbers.extend(occurs.ordinals.iter().map(|ordinal| u64::from(*ordinal)));
    numbers
}

fn listed<'a>(all: impl Iterator<Item = &'a Occurs>) -> Vec<u64> {
    all.flat_map(|occurs| [u64::MAX].into_iter().chain(occurs.ordinals.iter().map(|ordinal| u64::from(*ordinal))))
        .collect()
}

fn right_frames(content: &Content) -> Vec<(String, Answer)> {
    let mut offsets: Vec<u64> = content.events().map(|(frame, _)| frame.offset).collect();
    let outside = [content.base.wrapping_sub(1), content.base + offsets.len() as u64, u64::MAX];
    let none = outside.into_iter().map(|number| (format!("frame of {number}"), Answer::Numbers(Vec::new())));
    let mut right: Vec<(String, Answer)> = none.collect();
    for (number, offset) in (content.base..).zip(&offsets).step_by(7) {
        right.push((format!("frame of {number}"), Answer::Numbers(vec![*offset])));
    }
    right.push(("all frames, backwards false".to_owned(), Answer::Numbers(offsets.clone())));
    offsets.reverse();
    right.push(("all frames, backwards true".to_owned(), Answer::Numbers(offsets)));
    right
}

fn right_ids(content: &Content) -> Vec<(String, Answer)> {
    let mut transactions: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for Transaction { id, offset, .. } in &content.transactions {
        if let Some(id) = id {
            transactions.entry(id).or_default().push(*offset);
        }
    }
    let mut events: BTreeMap<(&str, EventId), Vec<u64>> = BTreeMap::new();
    for (ordinal, (_, Event { category, id, .. })) in (0..).zip(content.events()) {
        if let Some(id) = id {
            events.entry((category, id.clone())).or_default().push(ordinal);
        }
    }
    let all = |id: &str| Answer::Numbers(transactions.get(id).cloned().unwrap_or_default());
    let mut right: Vec<(String, Answer)> =
        transactions.keys().copied().chain(["", "nowhere"]).map(|id| (format!("transaction {id}"), all(id))).collect();
    let found = events.into_iter().map(|((category, id), list)| (format!("event {id} in {category}"), list));
    let found = found.chain([("event nowhere in a".to_owned(), Vec::new())]);
    right.extend(found.map(|(question, list)| (question, Answer::Numbers(list))));
    right
}

fn right_figures(content: &Content, facts: &Facts<'_>) -> Vec<(String, Answer)> {
    let mut records: Vec<SystemRecord> = Vec::new();
    for record in content.transactions.iter().flat_map(|frame| &frame.records) {
        let same = |known: &&mut SystemRecord| known.namespace == record.namespace && known.key == record.key;
        match records.iter_mut().find(same) {
            Some(known) => *known = record.clone(),
            None => records.push(record.clone()),
        }
    }
    let born = facts.streams.values().filter(|occurs| occurs.first_position == 0).count();
    let events: Vec<(&Transaction, &Event)> = content.events().collect();
    let mut right = vec![
        ("records".to_owned(), Answer::Records(records)),
        ("born".to_owned(), Answer::Numbers(vec![born as u64, events.chunks(256).len() as u64])),
    ];
    for (block, events) in events.chunks(256).enumerate() {
        let occurred = || events.iter().map(|(_, event)| event.occurred_at);
        let ends = occurred().min().into_iter().chain(occurred().max());
        let times = [events[0].0.recorded_at].into_iter().chain(ends).collect();
        right.push((format!("times {block}"), Answer::Times(times)));
    }
    for instant in instants(content) {
        let early = events.chunks(256).filter(|events| events[0].0.recorded_at < instant).count() as u64;
        let bound = early.saturating_sub(1) * 256;
        let first = events.iter().take_while(|(frame, _)| frame.recorded_at < instant).count() as u64;
        assert!(bound <= first && first <= bound + 256, "{instant}");
        right.push((format!("recorded at {instant}"), Answer::Numbers(vec![bound])));
    }
    right
}

/// Holds the right answers against those of the index in memory.
pub(crate) fn expect_hot(content: &Content, right: &[(String, Answer)]) {
    let right: BTreeMap<&str, &Answer> = right.iter().map(|(question, answer)| (&**question, answer)).collect();
    let index = HotIndex::new(content.base, 7, 0);
    for frame in &content.transactions {
        let events =
            frame.events.iter().map(|event| Addition::new(&event.category, &event.stream, &event.name, event.position));
        index.add(frame.offset, frame.id.as_deref(), events).expect("it is little");
    }
    let entry = |id: Option<EntryId>, positions: bool| {
        let Some(id) = id else { return Answer::Numbers(Vec::new()) };
        let count = index.count_below(id, u64::MAX);
        let mut numbers = vec![u64::from(count)];
        if positions {
            numbers.extend([index.first_position(id), index.next_position(id)]);
        }
        numbers.extend(limits(content).map(|limit| u64::from(index.count_below(id, limit))));
        let mut place = RunPlace::default();
        let events = (0..count).filter_map(|at| index.event_at(id, at, &mut place));
        numbers.extend(events.map(|number| number - content.base));
        Answer::Numbers(numbers)
    };
    for (category, stream, name) in wanted(content) {
        let named = |which| right.get(&*format!("{which} {category}/{stream}/{name}")).copied();
        assert_eq!(named("category"), Some(&entry(index.category(category), false)));
        assert_eq!(named("stream"), Some(&entry(index.stream(category, stream), true)));
    }
    for limit in limits(content) {
        let named = |which| right.get(&*format!("{which} below {limit}")).copied();
        let sorted = |names: BTreeSet<&[u8]>| Answer::Names(names.into_iter().map(<[u8]>::to_vec).collect());
        assert_eq!(named("categories"), Some(&sorted(index.category_names(limit).collect())));
        assert_eq!(named("streams of a"), Some(&sorted(index.stream_names("a", limit).collect())));
        let all: BTreeSet<(&[u8], &[u8])> = index.all_streams(limit).collect();
        let all = all.into_iter().flat_map(|(category, name)| [category.to_vec(), name.to_vec()]).collect();
        assert_eq!(named("all streams"), Some(&Answer::Names(all)));
    }
    for (number, (frame, _)) in (content.base..).zip(content.events()) {
        assert_eq!(index.frame_of(number), Some(frame.offset));
    }
}

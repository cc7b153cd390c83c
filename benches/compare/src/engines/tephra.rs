//! Tephra: an event store whose conditions are queries over tags. A stream and a category are a tag each.

use crate::data::{Stream, Tally};
use crate::engine::{Append, Durability, Engine, Setting, Version};
use crate::error::{Error, Of, Result};
use std::sync::Arc;
use tephra::{
    AppendCondition, AppendError, Event, EventType, Position, Query, QueryItem, SegmentConfig, SegmentSet, Tag, Tags,
    WriteCoordinator, WriteHandle, WriterConfig,
};

const NAME: &str = "tephra";

/// Bytes of a segment; what its documentation shows.
const SEGMENT: usize = 256 << 20;

struct Tephra {
    handle: WriteHandle,
    coordinator: WriteCoordinator,
}

/// Opens a store. Each append is on disk when it is acknowledged; that cannot be lifted.
pub fn open(setting: &Setting<'_>) -> Result<Box<dyn Engine>> {
    let _always: Durability = setting.durability;
    let set = SegmentSet::open(setting.directory, SegmentConfig::new(SEGMENT)).of(NAME)?;
    let (coordinator, handle) = WriteCoordinator::start(set, WriterConfig::default()).of(NAME)?;
    Ok(Box::new(Tephra { handle, coordinator }))
}

fn stream_tag(stream: &Stream) -> Result<Tag> {
    Tag::new(format!("{}/{}", stream.category, stream.name)).of(NAME)
}

fn of_tag(tag: Tag) -> Result<Query> {
    Ok(Query::item(QueryItem::with_tags(Tags::new([tag]).of(NAME)?)))
}

/// The events as Tephra holds them, and the condition: no event of the stream after the last one that was seen.
fn request(append: &Append<'_>) -> Result<(Vec<Event>, Option<AppendCondition>)> {
    let stream = stream_tag(append.stream)?;
    let tags = Tags::new([Tag::new(&*append.stream.category).of(NAME)?, stream.clone()]).of(NAME)?;
    let new = |event: &crate::engine::Event<'_>| {
        Event::new(&EventType::new(&**event.name).of(NAME)?, &tags, event.payload).of(NAME)
    };
    let events = append.events.iter().map(new).collect::<Result<_>>()?;
    let condition = match append.expected {
        None => None,
        Some(version) => Some(AppendCondition::new(of_tag(stream)?).after(Position::new(version.last))),
    };
    Ok((events, condition))
}

/// How far the stream is after the append. The store numbers the log alone; the caller counts the stream.
fn version(append: &Append<'_>, last: Position) -> Version {
    let before = append.expected.unwrap_or_default().events;
    Version { events: before + append.events.len() as u64, last: last.get() }
}

fn refusal(error: AppendError) -> Error {
    match error {
        AppendError::Conflict { .. } => Error::Conflict,
        error => Error::Engine { engine: NAME, source: error.into() },
    }
}

impl Tephra {
    fn tally(&self, query: &Query) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut reads = self.handle.read(query, Position::ZERO, None);
        while let Some(item) = reads.next() {
            tally.add(item.of(NAME)?.event.data());
        }
        Ok(tally)
    }
}

impl Engine for Tephra {
    fn append(&self, append: &Append<'_>) -> Result<Version> {
        let (events, condition) = request(append)?;
        let range = self.handle.append(events, condition).map_err(refusal)?;
        Ok(version(append, range.last))
    }

    fn append_many(&self, appends: &[Append<'_>]) -> Result<Vec<Result<Version>>> {
        // All in flight at once: the store makes them durable together.
        let (reply, replies) = flume::unbounded();
        for (token, append) in appends.iter().enumerate() {
            let (events, condition) = request(append)?;
            self.handle.append_submit(events, condition, token as u64, reply.clone()).of(NAME)?;
        }
        drop(reply);
        let mut versions: Vec<Result<Version>> = appends.iter().map(|_| Err(Error::Conflict)).collect();
        let mut answered = 0;
        while let Ok((token, outcome)) = replies.recv() {
            let place = usize::try_from(token).unwrap_or(usize::MAX);
            let (Some(slot), Some(append)) = (versions.get_mut(place), appends.get(place)) else {
                return Err(Error::Broken(format!("{NAME}: an answer to what was not asked")));
            };
            *slot = outcome.map(|range| version(append, range.last)).map_err(refusal);
            answered += 1;
        }
        if answered == appends.len() {
            Ok(versions)
        } else {
            Err(Error::Broken(format!("{NAME}: {answered} answers to {} appends", appends.len())))
        }
    }

    fn read_stream(&self, stream: &Stream) -> Result<Tally> {
        self.tally(&of_tag(stream_tag(stream)?)?)
    }

    fn read_category(&self, category: &Arc<str>) -> Result<Tally> {
        self.tally(&of_tag(Tag::new(&**category).of(NAME)?)?)
    }

    fn read_log(&self) -> Result<Tally> {
        self.tally(&Query::all())
    }

    fn shares_syncs(&self) -> bool {
        true
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { handle, coordinator } = *self;
        drop(handle);
        drop(coordinator.shutdown());
        Ok(())
    }
}

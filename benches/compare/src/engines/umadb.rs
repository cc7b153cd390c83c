//! UmaDB's core: an event store whose conditions are queries over tags. A stream and a category are a tag each.

use crate::data::{Stream, Tally};
use crate::engine::{Append, Engine, Setting, Version};
use crate::error::{Error, Of, Result};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};
use umadb_core::db::UmaDb;
use umadb_core::mvcc::{Mvcc, StorageOptions};
use umadb_core::writer_thread_blocking::writer_thread_blocking;
use umadb_core::writer_thread_request::WriterThreadRequest;
use umadb_dcb::{DcbAppendCondition, DcbError, DcbEvent, DcbEventStoreSync, DcbQuery, DcbQueryItem, DcbResult};

const NAME: &str = "umadb";

/// Requests that wait for the writer at most, and events of one batch at most: more than are ever in flight here.
const QUEUE: usize = 16_384;

struct UmaDbCore {
    database: UmaDb,
    /// The writer's thread, as its server runs it, when more than one thread appends.
    writer: Option<Writer>,
}

struct Writer {
    requests: mpsc::Sender<WriterThreadRequest>,
    thread: JoinHandle<()>,
    /// The writer announces the head here, and stops caring when nobody listens.
    _head: watch::Receiver<Option<u64>>,
}

/// Opens a store. Each append is on disk when it is acknowledged, after two syncs; that cannot be lifted.
pub fn open(setting: &Setting<'_>) -> Result<Box<dyn Engine>> {
    let options = StorageOptions::default().db_path(setting.directory);
    let mvcc = Arc::new(Mvcc::new(false, options).of(NAME)?);
    // One thread alone is served without a hand-over.
    let writer = if setting.threads > 1 {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (head, _head) = watch::channel(None);
        let shared = Arc::clone(&mvcc);
        let thread = std::thread::spawn(move || writer_thread_blocking(shared, queue, head, QUEUE));
        Some(Writer { requests, thread, _head })
    } else {
        None
    };
    Ok(Box::new(UmaDbCore { database: UmaDb::from_arc(mvcc), writer }))
}

fn stream_tag(stream: &Stream) -> String {
    format!("{}/{}", stream.category, stream.name)
}

fn of_tag(tag: String) -> DcbQuery {
    DcbQuery::with_items([DcbQueryItem::new().tags([tag])])
}

/// The events as UmaDB holds them, and the condition: no event of the stream after the last one that was seen.
fn request(append: &Append<'_>) -> (Vec<DcbEvent>, Option<DcbAppendCondition>) {
    let stream = stream_tag(append.stream);
    let new = |event: &crate::engine::Event<'_>| DcbEvent {
        event_type: event.name.to_string(),
        tags: vec![append.stream.category.to_string(), stream.clone()],
        data: event.payload.to_vec(),
        uuid: None,
        metadata: Vec::new(),
    };
    let events = append.events.iter().map(new).collect();
    let condition = append.expected.map(|version| {
        let after = (version.last > 0).then_some(version.last);
        DcbAppendCondition::new(of_tag(stream.clone())).after(after)
    });
    (events, condition)
}

/// How far the stream is after the append. The store numbers the log alone; the caller counts the stream.
fn answer(append: &Append<'_>, outcome: DcbResult<u64>) -> Result<Version> {
    let before = append.expected.unwrap_or_default().events;
    match outcome {
        Ok(last) => Ok(Version { events: before + append.events.len() as u64, last }),
        Err(DcbError::IntegrityError(_)) => Err(Error::Conflict),
        Err(error) => Err(error).of(NAME),
    }
}

impl Writer {
    fn submit(&self, append: &Append<'_>) -> Result<oneshot::Receiver<DcbResult<u64>>> {
        let (events, condition) = request(append);
        let (response_tx, response) = oneshot::channel();
        let request = WriterThreadRequest::Append { events, condition, tracking_info: None, response_tx, cancel: None };
        self.requests.blocking_send(request).of(NAME)?;
        Ok(response)
    }
}

impl UmaDbCore {
    fn tally(&self, query: Option<DcbQuery>) -> Result<Tally> {
        let mut tally = Tally::default();
        for event in self.database.read(query, None, false, None).of(NAME)? {
            tally.add(&event.of(NAME)?.event.data);
        }
        Ok(tally)
    }
}

impl Engine for UmaDbCore {
    fn append(&self, append: &Append<'_>) -> Result<Version> {
        match &self.writer {
            Some(writer) => answer(append, writer.submit(append)?.blocking_recv().of(NAME)?),
            None => {
                let (events, condition) = request(append);
                answer(append, self.database.append(events, condition, None))
            }
        }
    }

    fn append_many(&self, appends: &[Append<'_>]) -> Result<Vec<Result<Version>>> {
        let Some(writer) = &self.writer else {
            return Ok(appends.iter().map(|append| self.append(append)).collect());
        };
        // All in flight at once: the writer makes them durable together.
        let waiting = appends.iter().map(|append| writer.submit(append)).collect::<Result<Vec<_>>>()?;
        let answers =
            appends.iter().zip(waiting).map(|(append, waiting)| Ok(answer(append, waiting.blocking_recv().of(NAME)?)));
        answers.collect()
    }

    fn read_stream(&self, stream: &Stream) -> Result<Tally> {
        self.tally(Some(of_tag(stream_tag(stream))))
    }

    fn read_category(&self, category: &Arc<str>) -> Result<Tally> {
        self.tally(Some(of_tag(category.to_string())))
    }

    fn read_log(&self) -> Result<Tally> {
        self.tally(None)
    }

    fn shares_syncs(&self) -> bool {
        true
    }

    fn close(self: Box<Self>) -> Result<()> {
        if let Some(Writer { requests, thread, _head }) = self.writer {
            requests.blocking_send(WriterThreadRequest::Shutdown).of(NAME)?;
            thread.join().map_err(|_| Error::Broken(format!("{NAME}: its writer panicked")))?;
        }
        Ok(())
    }
}

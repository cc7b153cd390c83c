//! Rendered views that survive a restart: system records, held against the log before anything is folded onto them.

use super::cache::{Folded, LastFolded};
use super::registry::RegisteredView;
use crate::store::EventStore;
use crate::vocabulary::event::EventId;
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::selector::Selector;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{SystemRecord, transaction};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// The namespace of the records.
const NAMESPACE: &str = "stratalog.views";

/// How many bytes of content are kept at most: records are held in memory.
const MAX_BYTES: usize = 64 << 10;

/// How many bytes of a record are its digest, which stands before the rest.
const DIGEST_BYTES: usize = 16;

/// What a record holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// All that says what was rendered, and by which code.
    identity: String,
    revision: u64,
    last: KeptLast,
    content: Option<Bytes>,
}

#[derive(Serialize, Deserialize)]
struct KeptLast {
    revision: Revision,
    recorded_at: Timestamp,
    id: String,
    latest_effective: Timestamp,
}

/// What a view was when it was last kept, if it was, is still what the log says, and is not beyond a revision. Anything that does
/// not fit, whatever it is, is as if it was not there.
pub(super) fn load(store: &EventStore, view: &RegisteredView, selector: &Selector, at: Revision) -> Option<Folded> {
    view.definition().kept.as_ref()?;
    let kept = read(store, view, selector)?;
    if kept.revision > at.get() || !is_in_the_log(store, selector, &kept.last) {
        return None;
    }
    let KeptLast { revision, recorded_at, id, latest_effective } = kept.last;
    let last = LastFolded { revision, recorded_at, id: EventId::from(id), latest_effective };
    Some(Folded { revision: kept.revision, content: kept.content, last: Some(last), not_kept: 0 })
}

/// The record of a view, if there is one that is whole and of the same code.
fn read(store: &EventStore, view: &RegisteredView, selector: &Selector) -> Option<Kept> {
    let record = store.record(NAMESPACE, &key(view, selector)?).ok()??;
    let (digest, body) = record.split_at_checked(DIGEST_BYTES)?;
    if digest != xxh3_128(body).to_le_bytes() {
        return None;
    }
    let kept: Kept = rmp_serde::from_slice(body).ok()?;
    let fits = kept.identity == identity(view, selector)? && kept.last.revision.get() <= kept.revision;
    fits.then_some(kept)
}

/// Whether the log has the last event that was folded, where it was.
fn is_in_the_log(store: &EventStore, selector: &Selector, last: &KeptLast) -> bool {
    let Some(number) = last.revision.get().checked_sub(1).map(SequenceNumber::new) else { return false };
    let found = store.log().scan().from(number).until(number).read();
    found.is_ok_and(|events| {
        events.first().is_some_and(|event| {
            event.id().to_string() == last.id && event.recorded_at() == last.recorded_at && selector.matches(event)
        })
    })
}

/// Keeps a view, if it is to be kept and enough is new, and says so in it. Nobody waits for it, and nothing is lost without it.
pub(super) fn store(store: &EventStore, view: &RegisteredView, selector: &Selector, folded: &mut Folded) {
    let Some(kept) = &view.definition().kept else { return };
    let Some(last) = folded.last.as_ref().filter(|_| folded.not_kept >= kept.every) else { return };
    if folded.content.as_ref().is_some_and(|content| content.len() > MAX_BYTES) {
        return;
    }
    // Who looks at the past does not take the place of what is further.
    if read(store, view, selector).is_some_and(|kept| kept.revision >= folded.revision) {
        return;
    }
    let (Some(key), Some(identity)) = (key(view, selector), identity(view, selector)) else { return };
    let last = KeptLast {
        revision: last.revision,
        recorded_at: last.recorded_at,
        id: last.id.to_string(),
        latest_effective: last.latest_effective,
    };
    let kept = Kept { identity, revision: folded.revision, last, content: folded.content.clone() };
    let Ok(body) = rmp_serde::to_vec_named(&kept) else { return };
    let mut value = Vec::with_capacity(DIGEST_BYTES + body.len());
    value.extend_from_slice(&xxh3_128(&body).to_le_bytes());
    value.extend_from_slice(&body);
    let record = SystemRecord::set(NAMESPACE, key, value);
    if store.append_deferred(transaction().record(record)).is_ok() {
        folded.not_kept = 0;
    }
}

/// The record's key: the same for all code of one name and version, so that the newer takes the place of the older.
fn key(view: &RegisteredView, selector: &Selector) -> Option<String> {
    let of = serde_json::to_string(&(view.name(), view.version(), selector)).ok()?;
    Some(format!("{:032x}", xxh3_128(of.as_bytes())))
}

/// All that says what is rendered and by which code.
fn identity(view: &RegisteredView, selector: &Selector) -> Option<String> {
    let definition = view.definition();
    let code = definition.kept.as_ref().map(|kept| &*kept.code);
    let temporality = format!("{:?}", definition.temporality);
    let what =
        (view.name(), view.version(), code, selector, temporality, view.content_type(), definition.schema.as_deref());
    serde_json::to_string(&what).ok()
}

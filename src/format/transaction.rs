//! The sections of a transaction's frame: id and digest, attributes, system records.

use super::bytes::{Fields, put_run, put_signed_varint, put_varint};
use super::frame::{ATTRIBUTES, FrameHeader, RECORDS, TRANSACTION_ID};
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::event::Span;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{Digest, SystemRecord};
use bytes::Bytes;
use std::sync::Arc;

/// Attributes of one event or transaction at most. Looking for repeated names among them is quadratic.
pub(crate) const ATTRIBUTES_LIMIT: usize = 4_096;

/// Where a transaction's sections lie in its frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sections {
    pub(crate) id: Option<Span>,
    pub(crate) digest: Option<Digest>,
    /// Where the attributes begin, if there are any.
    attributes: Option<usize>,
    /// Where the records begin, if there are any.
    records: Option<usize>,
    /// Where the sections end: there the only event begins, or the table.
    pub(crate) end: usize,
}

impl Sections {
    /// Of no frame.
    pub(crate) const EMPTY: Self = Self { id: None, digest: None, attributes: None, records: None, end: 0 };

    /// Finds the sections of a frame, and whether they make sense: their text is checked to be UTF-8, and attributes and records
    /// to be well-formed.
    #[inline(always)]
    pub(crate) fn read(&mut self, frame: &[u8], header: &FrameHeader) -> bool {
        (self.id, self.digest, self.attributes, self.records) = (None, None, None, None);
        self.end = header.header_bytes();
        if header.flags & (TRANSACTION_ID | ATTRIBUTES | RECORDS) == 0 {
            return self.end <= header.covered as usize;
        }
        self.read_some(frame, header).is_some()
    }

    fn read_some(&mut self, frame: &[u8], header: &FrameHeader) -> Option<()> {
        let mut fields = Fields::new(frame, self.end);
        let sections = self;
        if header.flags & TRANSACTION_ID != 0 {
            let length = usize::from(fields.u8()?);
            let start = fields.at();
            std::str::from_utf8(fields.bytes(length)?).ok()?;
            sections.id = Some(span(start, fields.at())?);
            sections.digest = Some(Digest(fields.u128()?));
        }
        if header.flags & ATTRIBUTES != 0 {
            sections.attributes = Some(fields.at());
            skip_attributes(&mut fields)?;
        }
        if header.flags & RECORDS != 0 {
            sections.records = Some(fields.at());
            let count = fields.varint()?;
            for _ in 0..count {
                record(&mut fields)?;
            }
        }
        sections.end = fields.at();
        (sections.end <= header.covered as usize).then_some(())
    }

    /// The transaction's id.
    pub(crate) fn id_text<'a>(&self, frame: &'a [u8]) -> Option<&'a str> {
        let span = self.id?;
        std::str::from_utf8(frame.get(span.start as usize..span.end as usize)?).ok()
    }

    /// The transaction's attributes.
    pub(crate) fn attributes(&self, frame: &[u8]) -> Option<Attributes> {
        match self.attributes {
            Some(at) => attributes(&mut Fields::new(frame, at)),
            None => Some(Attributes::new()),
        }
    }

    /// The transaction's system records.
    pub(crate) fn records(&self, frame: &[u8]) -> Option<Vec<SystemRecord>> {
        let Some(at) = self.records else {
            return Some(Vec::new());
        };
        records(&mut Fields::new(frame, at))
    }
}

/// A span from two offsets within a frame.
#[inline]
pub(crate) fn span(start: usize, end: usize) -> Option<Span> {
    Some(Span { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
}

/// The flags that a transaction's sections need.
pub(crate) fn flags(has_id: bool, attributes: &Attributes, records: &[SystemRecord]) -> u8 {
    (if has_id { TRANSACTION_ID } else { 0 })
        | (if attributes.is_empty() { 0 } else { ATTRIBUTES })
        | (if records.is_empty() { 0 } else { RECORDS })
}

/// Writes the sections of a transaction.
#[inline]
pub(crate) fn put_sections(
    out: &mut Vec<u8>,
    id: Option<(&str, Digest)>,
    transaction_attributes: &Attributes,
    records: &[SystemRecord],
) {
    if let Some((id, digest)) = id {
        out.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(&digest.0.to_le_bytes());
    }
    if !transaction_attributes.is_empty() {
        put_attributes(out, transaction_attributes);
    }
    if !records.is_empty() {
        put_records(out, records);
    }
}

/// Writes a list of records.
pub(crate) fn put_records(out: &mut Vec<u8>, records: &[SystemRecord]) {
    put_varint(out, records.len() as u64);
    for record in records {
        put_run(out, record.namespace.as_bytes());
        put_run(out, record.key.as_bytes());
        match &record.value {
            None => put_varint(out, 0),
            Some(value) => {
                put_varint(out, value.len() as u64 + 1);
                out.extend_from_slice(value);
            }
        }
    }
}

/// Reads a list of records.
pub(crate) fn records(fields: &mut Fields<'_>) -> Option<Vec<SystemRecord>> {
    let count = fields.varint()?;
    (0..count).map(|_| record(fields)).collect()
}

fn record(fields: &mut Fields<'_>) -> Option<SystemRecord> {
    let namespace = fields.text()?;
    let key = fields.text()?;
    let value = match fields.varint()?.checked_sub(1) {
        None => None,
        Some(length) => Some(Bytes::copy_from_slice(fields.bytes(usize::try_from(length).ok()?)?)),
    };
    Some(SystemRecord { namespace: namespace.into(), key: key.into(), value })
}

/// Writes a list of attributes.
pub(crate) fn put_attributes(out: &mut Vec<u8>, list: &Attributes) {
    put_varint(out, list.len() as u64);
    for (name, value) in list.iter() {
        put_run(out, name.as_bytes());
        match value {
            AttributeValue::Boolean(value) => out.extend_from_slice(&[1, u8::from(*value)]),
            AttributeValue::Integer(value) => {
                out.push(2);
                put_signed_varint(out, *value);
            }
            AttributeValue::String(text) => put_tagged(out, 3, text.as_bytes()),
            AttributeValue::Bytes(bytes) => put_tagged(out, 4, bytes),
            AttributeValue::Uri(text) => put_tagged(out, 5, text.as_bytes()),
            AttributeValue::UriReference(text) => put_tagged(out, 6, text.as_bytes()),
            AttributeValue::Time(time) => {
                out.push(7);
                put_time(out, *time);
            }
        }
    }
}

fn put_tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_run(out, bytes);
}

/// Writes an instant in full: seconds and nanoseconds.
pub(crate) fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.unix_seconds().to_le_bytes());
    out.extend_from_slice(&time.subsecond_nanoseconds().to_le_bytes());
}

/// Reads an instant in full.
pub(crate) fn time(fields: &mut Fields<'_>) -> Option<Timestamp> {
    let seconds = fields.i64()?;
    Timestamp::checked(seconds, fields.u32()?)
}

/// Reads a list of attributes. A repeated name is malformed.
pub(crate) fn attributes(fields: &mut Fields<'_>) -> Option<Attributes> {
    let count = usize::try_from(fields.varint()?).ok().filter(|count| *count <= ATTRIBUTES_LIMIT)?;
    let mut list = Attributes::new();
    for _ in 0..count {
        let name: Arc<str> = fields.text()?.into();
        let value = match fields.u8()? {
            1 => AttributeValue::Boolean(boolean(fields)?),
            2 => AttributeValue::Integer(fields.signed_varint()?),
            3 => AttributeValue::String(fields.text()?.into()),
            4 => AttributeValue::Bytes(Bytes::copy_from_slice(fields.run()?)),
            5 => AttributeValue::Uri(fields.text()?.into()),
            6 => AttributeValue::UriReference(fields.text()?.into()),
            7 => AttributeValue::Time(time(fields)?),
            _ => return None,
        };
        list.set(name, value);
    }
    (list.len() == count).then_some(list)
}

/// Moves past a list of attributes, checking it without keeping it.
fn skip_attributes(fields: &mut Fields<'_>) -> Option<()> {
    let count = fields.varint()?;
    for _ in 0..count {
        fields.text()?;
        match fields.u8()? {
            1 => drop(boolean(fields)?),
            2 => drop(fields.signed_varint()?),
            3 | 5 | 6 => drop(fields.text()?),
            4 => drop(fields.run()?),
            7 => drop(time(fields)?),
            _ => return None,
        }
    }
    Some(())
}

fn boolean(fields: &mut Fields<'_>) -> Option<bool> {
    match fields.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

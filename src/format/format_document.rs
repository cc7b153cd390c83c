//! Tests: FORMAT.md says what the code does, down to the bytes of its worked example.

use super::closed_file::ClosedFile;
use super::encode::{self, Context, TransactionSource};
use super::event::{EventSource, flag, kind_code};
use super::frame::{self, FrameHeader, Kind, TABLE_ENTRY_BYTES};
use super::index_file::{self, IndexHeader, SectionKind, SectionRow};
use super::place::{Place, aligned};
use super::segment_header::{self, HEADER_FIELDS, SegmentHeader};
use super::transaction::put_attributes;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::event::Given;
use crate::vocabulary::payload::{PayloadKind, PayloadRef};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{Digest, SystemRecord};

const DOCUMENT: &str = include_str!("../../FORMAT.md");

/// The rows of the table behind this mark, without its head.
fn table(mark: &str) -> Vec<Vec<&'static str>> {
    rows_behind(DOCUMENT, &format!("<!-- table: {mark} -->"), "")
}

fn rows_behind<'t>(text: &'t str, mark: &str, prefix: &str) -> Vec<Vec<&'t str>> {
    let (_, behind) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark}"));
    let lines = behind.lines().filter_map(|line| line.strip_prefix(prefix)).map(str::trim);
    let lines = lines.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let rows = lines.skip(2).map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')));
    rows.map(Iterator::collect).collect()
}

/// Fields with offset and length, which must follow each other without gaps from `start` on; and where they end.
fn fields(mark: &str, start: usize) -> (Vec<(&'static str, usize, usize)>, usize) {
    let mut end = start;
    let rows = table(mark).into_iter().map(|row| {
        let (offset, bytes): (usize, usize) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        assert_eq!(offset, end, "{mark}: {} begins where the one before ends", row[2]);
        end += bytes;
        (row[2], offset, bytes)
    });
    (rows.collect(), end)
}

/// Checks that each field of `encoded` holds what is expected of it, in the order of the document.
fn check_fields(fields: &[(&str, usize, usize)], encoded: &[u8], expected: &[(&str, &[u8])]) {
    assert_eq!(fields.len(), expected.len());
    for ((name, offset, bytes), (expected_name, content)) in fields.iter().zip(expected) {
        assert_eq!((*name, *bytes), (*expected_name, content.len()));
        assert_eq!(&encoded[*offset..offset + bytes], *content, "{name}");
    }
}

/// Rows of a code or bit, and a name.
fn codes(mark: &str) -> Vec<(u8, &'static str)> {
    table(mark).into_iter().map(|row| (row[0].parse().unwrap(), row[1])).collect()
}

#[test]
fn the_segment_header_is_as_the_table_says() {
    let (fields, end) = fields("segment header", 0);
    assert_eq!(end, HEADER_FIELDS);
    let header = SegmentHeader {
        store_id: *b"0123456789abcdef",
        number: 0x0102_0304_0506_0708,
        salt: 0x1112_1314_1516_1718,
        length: 0x2122_2324_2526_2728,
        created_at: Timestamp::from_unix(-3, 0x0102_0304).unwrap(),
    };
    let encoded = header.encode();
    let expected: [(&str, &[u8]); 13] = [
        ("magic", b"STRATLOG"),
        ("format", &segment_header::FORMAT.to_le_bytes()),
        ("header length", &4_096_u16.to_le_bytes()),
        ("compatible", &[0; 4]),
        ("read-compatible", &[0; 4]),
        ("incompatible", &[0; 4]),
        ("store id", b"0123456789abcdef"),
        ("number", &header.number.to_le_bytes()),
        ("salt", &header.salt.to_le_bytes()),
        ("length", &header.length.to_le_bytes()),
        ("created, seconds", &(-3_i64).to_le_bytes()),
        ("created, nanoseconds", &0x0102_0304_u32.to_le_bytes()),
        ("reserved", &[0; 48]),
    ];
    let (last, others) = fields.split_last().unwrap();
    check_fields(others, &encoded, &expected);
    assert_eq!(*last, ("checksum", 124, 4));
    assert_eq!(encoded[124..], crc32fast::hash(&encoded[..124]).to_le_bytes());
    assert_eq!(segment_header::HEADER_BYTES, 4_096);
}

#[test]
fn the_frame_header_is_as_the_tables_say() {
    let (fixed, end) = fields("frame header", 0);
    assert_eq!(end, frame::HEADER_BYTES);
    let (with_table, end) = fields("frame header with a table", end);
    assert_eq!(end, frame::TABLE_HEADER_BYTES);
    let header = FrameHeader {
        crc: 0,
        length: 0x0102_0304,
        kind: Kind::Transaction,
        flags: frame::TABLE | frame::RECORDS,
        count: 0x0506_0708,
        sequence: 0x1112_1314_1516_1718,
        recorded_at: Timestamp::from_unix(0x2122_2324, 0x0526_2728).unwrap(),
        epoch: 0x3132_3334,
        mark: 0x3536_3738,
        link: 0x4142_4344,
        covered: 0x4546_4748,
    };
    let expected: [(&str, &[u8]); 12] = [
        ("checksum", &[0; 4]),
        ("length", &header.length.to_le_bytes()),
        ("kind", &[1]),
        ("flags", &[0b1001]),
        ("header length", &[7]),
        ("reserved", &[0]),
        ("count", &header.count.to_le_bytes()),
        ("sequence", &header.sequence.to_le_bytes()),
        ("recorded, seconds", &0x2122_2324_i64.to_le_bytes()),
        ("recorded, nanoseconds", &0x0526_2728_u32.to_le_bytes()),
        ("epoch", &header.epoch.to_le_bytes()),
        ("mark", &header.mark.to_le_bytes()),
    ];
    let (link, others) = fixed.split_last().unwrap();
    check_fields(others, &header.encode(), &expected);
    check_fields(&[*link], &header.encode(), &[("link", &header.link.to_le_bytes())]);
    let covered = header.covered.to_le_bytes();
    check_fields(&with_table, &header.encode(), &[("covered", &covered), ("reserved", &[0; 4])]);
    assert_eq!(fields("table entry", 0).1, TABLE_ENTRY_BYTES);
}

#[test]
fn kinds_and_flags_are_as_the_tables_say() {
    let kinds = [Kind::Transaction, Kind::Opening, Kind::Watermark, Kind::Close];
    let names = kinds.map(|kind| (code_of(kind), format!("{kind:?}")));
    assert_eq!(codes("kinds"), names.each_ref().map(|(code, name)| (*code, name.as_str())));
    let bits = [
        (frame::TABLE, "TABLE"),
        (frame::TRANSACTION_ID, "TRANSACTION_ID"),
        (frame::ATTRIBUTES, "ATTRIBUTES"),
        (frame::RECORDS, "RECORDS"),
        (frame::MARK_IN_PREVIOUS, "MARK_IN_PREVIOUS"),
    ];
    assert_eq!(codes("flags").into_iter().map(|(bit, name)| (1_u8 << bit, name)).collect::<Vec<_>>(), bits);
    let bits = [
        (flag::ID, "ID"),
        (flag::ID_IS_TEXT, "ID_IS_TEXT"),
        (flag::ID_GIVEN, "ID_GIVEN"),
        (flag::STREAM_SHARED, "STREAM_SHARED"),
        (flag::NAME_SHARED, "NAME_SHARED"),
        (flag::OBSERVED_GIVEN, "OBSERVED_GIVEN"),
        (flag::OBSERVED_IN_FULL, "OBSERVED_IN_FULL"),
        (flag::OCCURRED, "OCCURRED"),
        (flag::OCCURRED_GIVEN, "OCCURRED_GIVEN"),
        (flag::OCCURRED_IN_FULL, "OCCURRED_IN_FULL"),
        (flag::CONTENT_TYPE, "CONTENT_TYPE"),
        (flag::SCHEMA, "SCHEMA"),
        (flag::SCHEMA_VERSION, "SCHEMA_VERSION"),
        (flag::ATTRIBUTES, "ATTRIBUTES"),
        (flag::METADATA, "METADATA"),
        (flag::EXTENDED, "EXTENDED"),
    ];
    assert_eq!(codes("event flags").into_iter().map(|(bit, name)| (1_u16 << bit, name)).collect::<Vec<_>>(), bits);
}

/// A kind's code, as the encoder writes it.
fn code_of(kind: Kind) -> u8 {
    let mut frame = Vec::new();
    encode::bookkeeping(&mut frame, &example_context(), kind, &[]).unwrap();
    frame[8]
}

#[test]
fn payload_kinds_and_attribute_types_are_as_the_tables_say() {
    let kinds =
        [PayloadKind::None, PayloadKind::Binary, PayloadKind::Text, PayloadKind::MessagePack, PayloadKind::Json];
    let names = kinds.map(|kind| (kind_code(kind), format!("{kind:?}")));
    assert_eq!(codes("payload kinds"), names.each_ref().map(|(code, name)| (*code, name.as_str())));
    // The digest has the same codes.
    assert!(kinds.iter().all(|kind| *kind as u8 == kind_code(*kind)));
    let values = [
        (AttributeValue::Boolean(true), "boolean"),
        (AttributeValue::Integer(1), "integer"),
        (AttributeValue::String("".into()), "string"),
        (AttributeValue::Bytes("".into()), "bytes"),
        (AttributeValue::Uri("".into()), "URI"),
        (AttributeValue::UriReference("".into()), "URI reference"),
        (AttributeValue::Time(Timestamp::MIN), "time"),
    ];
    let types = values.map(|(value, name)| {
        let mut out = Vec::new();
        put_attributes(&mut out, &Attributes::new().with("a", value));
        // How many, the name's length, the name, the type.
        (out[3], name)
    });
    assert_eq!(codes("attribute types"), types);
}

#[test]
fn the_index_header_is_as_the_table_says() {
    let header = IndexHeader {
        store_id: *b"0123456789abcdef",
        segment: 0x0102_0304_0506_0708,
        salt: 0x1112_1314_1516_1718,
        from: 4_096,
        end: 4_104,
        base: 0x2122_2324_2526_2728,
        count: 0x3132_3334,
        transactions: 0x3536_3738,
        sequence: 0x4142_4344_4546_4748,
        link: 0x5152_5354,
        epoch: 0x5556_5758,
        recorded_at: Timestamp::from_unix(-3, 0x0102_0304).unwrap(),
        mark: Place { segment: 0x6162_6364_6566_6768, offset: 0x7172_7374_7576_7778 },
        closed: true,
        first_recorded_at: Some(Timestamp::from_unix(-5, 0x0506_0708).unwrap()),
        born_streams: 0x8182_8384,
        file_bytes: 0x9192_9394_9596_9798,
        sections: 0xa1a2_a3a4,
        last: 0xc1c2_c3c4_c5c6_c7c8,
        tables_crc: 0xb1b2_b3b4,
    };
    let encoded = header.encode();
    let expected: [(&str, &[u8]); 31] = [
        ("magic", b"STRATIDX"),
        ("format", &index_file::FORMAT.to_le_bytes()),
        ("header length", &192_u16.to_le_bytes()),
        ("compatible", &[0; 4]),
        ("read-compatible", &[0; 4]),
        ("incompatible", &[0; 4]),
        ("store id", b"0123456789abcdef"),
        ("segment", &header.segment.to_le_bytes()),
        ("salt", &header.salt.to_le_bytes()),
        ("from", &header.from.to_le_bytes()),
        ("end", &header.end.to_le_bytes()),
        ("base", &header.base.to_le_bytes()),
        ("count", &header.count.to_le_bytes()),
        ("transactions", &header.transactions.to_le_bytes()),
        ("sequence", &header.sequence.to_le_bytes()),
        ("link", &header.link.to_le_bytes()),
        ("epoch", &header.epoch.to_le_bytes()),
        ("recorded, seconds", &(-3_i64).to_le_bytes()),
        ("recorded, nanoseconds", &0x0102_0304_u32.to_le_bytes()),
        ("flags", &[0b11, 0, 0, 0]),
        ("mark, segment", &header.mark.segment.to_le_bytes()),
        ("mark, offset", &header.mark.offset.to_le_bytes()),
        ("first recorded, seconds", &(-5_i64).to_le_bytes()),
        ("first recorded, nanoseconds", &0x0506_0708_u32.to_le_bytes()),
        ("born", &header.born_streams.to_le_bytes()),
        ("length", &header.file_bytes.to_le_bytes()),
        ("sections", &header.sections.to_le_bytes()),
        ("last", &header.last.to_le_bytes()),
        ("reserved", &[0; 12]),
        ("checksum of the tables", &header.tables_crc.to_le_bytes()),
        ("checksum", &crc32fast::hash(&encoded[..188]).to_le_bytes()),
    ];
    let (told, end) = fields("index header", 0);
    assert_eq!(end, index_file::HEADER_BYTES);
    check_fields(&told, &encoded, &expected);
}

#[test]
fn the_file_of_a_closed_store_is_as_the_table_says() {
    let closed = ClosedFile {
        store_id: [7; 16],
        salt: 0x0102,
        end: Place { segment: 3, offset: 0x1112 },
        sequence: 0x2122,
        link: 0x3132_3334,
    };
    let encoded = closed.encode();
    let expected: [(&str, &[u8]); 8] = [
        ("magic", b"STRATCLO"),
        ("store id", &[7; 16]),
        ("salt", &closed.salt.to_le_bytes()),
        ("segment", &closed.end.segment.to_le_bytes()),
        ("end", &closed.end.offset.to_le_bytes()),
        ("sequence number", &closed.sequence.to_le_bytes()),
        ("link", &closed.link.to_le_bytes()),
        ("checksum", &crc32fast::hash(&encoded[..60]).to_le_bytes()),
    ];
    let (told, end) = fields("closed", 0);
    assert_eq!(end, ClosedFile::BYTES);
    check_fields(&told, &encoded, &expected);
}

#[test]
fn sections_of_index_files_are_as_the_tables_say() {
    let (told, end) = fields("index section", 0);
    assert_eq!(end, index_file::SECTION_BYTES);
    let mut row = Vec::new();
    SectionRow { kind: 0x0102, items: 0x0304_0506, offset: 0x1112, length: 0x2122 }.encode(&mut row);
    let expected: [(&str, &[u8]); 5] = [
        ("kind", &[2, 1]),
        ("reserved", &[0; 2]),
        ("entries", &[6, 5, 4, 3]),
        ("offset", &0x1112_u64.to_le_bytes()),
        ("length", &0x2122_u64.to_le_bytes()),
    ];
    check_fields(&told, &row, &expected);
    let kinds: Vec<(u8, &str)> =
        SectionKind::ALL.iter().map(|(kind, name)| (u8::try_from(kind.place() + 1).unwrap(), *name)).collect();
    assert_eq!(codes("index sections"), kinds);
    assert_eq!(fields("index times", 0).1, index_file::TIME_BYTES);
}

#[test]
fn the_cases_of_recovery_are_those_of_the_code() {
    let code = rows_behind(include_str!("../log/recovery.rs"), "The cases:", "//!");
    assert_eq!(table("recovery").len(), 7);
    let lower = |rows: Vec<Vec<&str>>| rows.iter().map(|row| row.join("|").to_lowercase()).collect::<Vec<_>>();
    assert_eq!(lower(table("recovery")), lower(code));
    for row in table("recovery") {
        assert!(DOCUMENT.contains(&format!("\n- **{}.** ", row[0])), "what leads to case {}", row[0]);
    }
}

const MADE_AT: i64 = 1_704_067_200;

fn example_context() -> Context {
    Context {
        place: Place::start_of(1),
        salt: 0x0123_4567_89ab_cdef,
        sequence: 0,
        recorded_at: Timestamp::MIN,
        epoch: 1,
        mark: Place::start_of(1),
        link: 0,
    }
}

/// Puts the frame behind what is there.
fn push(file: &mut Vec<u8>, context: &mut Context, (frame, crc): (Vec<u8>, u32)) {
    file.extend_from_slice(&frame);
    file.resize(usize::try_from(aligned(file.len() as u64)).unwrap(), 0);
    context.link = crc;
    context.place.offset = file.len() as u64;
}

fn transaction(
    context: &Context,
    id: Option<(&str, Digest)>,
    records: &[SystemRecord],
    events: &[EventSource<'_>],
) -> (Vec<u8>, u32) {
    let mut frame = Vec::new();
    let attributes = Attributes::new();
    let source = TransactionSource { id, attributes: &attributes, records };
    let events = events.iter().map(|event| EventSource { ..*event });
    let crc = encode::transaction(&mut frame, context, source, events).unwrap();
    (frame, crc)
}

fn event<'a>(
    attributes: &'a Attributes,
    stream: &'a str,
    name: &'a str,
    position: u64,
    text: Option<&'a str>,
) -> EventSource<'a> {
    let kind = if text.is_some() { PayloadKind::Text } else { PayloadKind::None };
    let bytes = text.unwrap_or_default().as_bytes();
    let observed_at = Timestamp::from_unix(MADE_AT + 1, 999_999_900).unwrap();
    EventSource {
        id: None,
        category: "accounts",
        stream,
        name,
        payload: PayloadRef { kind, bytes, content_type: None, schema: None, schema_version: None },
        metadata: None,
        attributes,
        position,
        observed_at,
        occurred_at: observed_at,
        given: Given::default(),
    }
}

/// The store of the worked example: the first bytes of its first segment.
fn example() -> Vec<u8> {
    let made_at = Timestamp::from_unix(MADE_AT, 0).unwrap();
    let mut context = example_context();
    let store_id: [u8; 16] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let header = SegmentHeader { store_id, number: 1, salt: context.salt, length: 1 << 20, created_at: made_at };
    let mut file = header.encode().to_vec();
    file.resize(4_096, 0);
    let mut opening = Vec::new();
    let crc = encode::bookkeeping(&mut opening, &context, Kind::Opening, &0_u64.to_le_bytes()).unwrap();
    push(&mut file, &mut context, (opening, crc));
    let settings = [SystemRecord::set("stratalog", "strict_names", vec![0])];
    let frame = transaction(&context, None, &settings, &[]);
    push(&mut file, &mut context, frame);
    // Opened: what is there is durable, and the epoch one higher.
    (context.epoch, context.mark) = (2, context.place);
    context.recorded_at = Timestamp::from_unix(MADE_AT + 2, 0).unwrap();
    let none = Attributes::new();
    let withdrawal = [
        event(&none, "acc-1", "money-withdrawn", 0, Some("5")),
        event(&none, "acc-2", "money-deposited", 0, Some("5")),
    ];
    let digest = Digest(0xfedc_ba98_7654_3210_0123_4567_89ab_cdef);
    let frame = transaction(&context, Some(("t-1", digest)), &[], &withdrawal);
    push(&mut file, &mut context, frame);
    (context.sequence, context.mark) = (2, context.place);
    let frame = transaction(&context, None, &[], &[event(&none, "acc-1", "noted", 2, None)]);
    push(&mut file, &mut context, frame);
    file
}

#[test]
fn the_worked_example_is_what_the_encoder_writes() {
    let (_, behind) = DOCUMENT.split_once("<!-- example -->\n```text\n").unwrap();
    let (listing, _) = behind.split_once("```").unwrap();
    let mut told = Vec::new();
    for line in listing.lines().filter(|line| line.contains('|')) {
        let (place, _) = line.split_once('|').unwrap();
        let mut words = place.split_whitespace();
        let Some(offset) = words.next().map(|word| word.parse::<usize>().unwrap()) else { continue };
        assert!(told.len() <= offset, "{line}: the lines before reach further");
        told.resize(offset, 0);
        told.extend(words.map(|word| u8::from_str_radix(word, 16).unwrap()));
    }
    let written = example();
    told.resize(told.len().max(written.len()), 0);
    for (offset, (told, written)) in told.iter().zip(&written).enumerate() {
        assert_eq!(told, written, "FORMAT.md at offset {offset}");
    }
    assert_eq!(told.len(), written.len());
}

//! Cases about names: any text is a name, and no two names are confused.

use super::support::{append, builder, event, read, save, save_if};
use super::{Bench, Outcome, case_list};
use crate::vocabulary::condition::{Condition, stream_is_empty};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::options::Options;

case_list!(names:
    any_text_is_a_name,
    names_as_long_as_the_limit_are_kept,
    category_and_stream_are_not_confused_when_joined,
    names_that_share_a_beginning_are_told_apart,
    strict_names_refuse_what_is_outside_the_rules,
);

const ODD: [&str; 14] =
    ["", " ", "\0", "a\0", "\0a", "-", "/", "a/b", "..", "\u{1f}", "\u{fffd}", "\u{1f980}", "e\u{301}", "\u{e9}"];

fn any_text_is_a_name(bench: &Bench<'_>) {
    let store = bench.store();
    let mut saved: Vec<StoredEvent> = Vec::new();
    for category in ODD {
        for stream in ODD {
            let named = builder().with_name(stream).build();
            saved.extend(save_if(&store, &Stream::new(category, stream), &[named], stream_is_empty()));
        }
    }
    assert_eq!(store.log().read().unwrap(), saved);
    let mut ordered = ODD;
    ordered.sort_unstable();
    assert_eq!(store.categories().unwrap(), ordered);
    for (index, category) in ODD.into_iter().enumerate() {
        let of_category = &saved[index * ODD.len()..][..ODD.len()];
        assert_eq!(store.category(category).read().unwrap(), of_category);
        assert_eq!(store.category(category).streams().unwrap(), ordered);
        for (stream, expected) in ODD.into_iter().zip(of_category) {
            let found = read(&store, &Stream::new(category, stream));
            assert_eq!(found, std::slice::from_ref(expected));
            assert_eq!((found[0].category(), found[0].stream(), found[0].name()), (category, stream, stream));
        }
    }
}

fn names_as_long_as_the_limit_are_kept(bench: &Bench<'_>) {
    let store = bench.store();
    let limit = Options::default().limits.name_bytes;
    for length in [255, 256, 257, 1_000, limit - 1, limit] {
        // Long names that differ in their last byte alone.
        let name = |end: &str| "n".repeat(length - 1) + end;
        let streams = [Stream::new(name("a"), name("b")), Stream::new(name("a"), name("c"))];
        for (stream, end) in streams.iter().zip(["e", "f"]) {
            let event = builder().with_name(name("d")).with_id(name(end)).build();
            let saved = save_if(&store, stream, &[event], stream_is_empty());
            assert_eq!(read(&store, stream), saved);
            assert_eq!(saved[0].name().len(), length);
        }
        assert_eq!(store.category(name("a")).read().unwrap().len(), 2);
    }
}

fn category_and_stream_are_not_confused_when_joined(bench: &Bench<'_>) {
    let store = bench.store();
    let pairs = [
        ("a", "b-c"),
        ("a-b", "c"),
        ("a", "b/c"),
        ("a/b", "c"),
        ("a", "b\0c"),
        ("a\0b", "c"),
        ("", "ab"),
        ("a", "b"),
        ("ab", ""),
        ("b", "a"),
    ];
    for (category, stream) in pairs {
        let stream = Stream::new(category, stream);
        let saved = save_if(&store, &stream, &[event(), event()], stream_is_empty());
        assert_eq!(saved[0].position().get(), 0);
        assert_eq!(read(&store, &stream), saved);
    }
    assert_eq!(store.category("a").read().unwrap().len(), 8);
    for (category, stream) in pairs {
        assert_eq!(read(&store, &Stream::new(category, stream)).len(), 2);
    }
}

fn names_that_share_a_beginning_are_told_apart(bench: &Bench<'_>) {
    let store = bench.store();
    let names: Vec<String> = (0..40).map(|length| "a".repeat(length)).collect();
    for name in &names {
        save(&store, &Stream::new(name.as_str(), "s"), &[event()]);
        save(&store, &Stream::new("c", name.as_str()), &[event()]);
    }
    for name in &names {
        assert_eq!(store.category(name.as_str()).read().unwrap().len(), 1);
        assert_eq!(read(&store, &Stream::new("c", name.as_str())).len(), 1);
    }
    assert_eq!(store.category("c").streams().unwrap(), names);
}

fn strict_names_refuse_what_is_outside_the_rules(bench: &Bench<'_>) -> Outcome {
    if let Some(outcome) = bench.deaf() {
        return outcome;
    }
    let store = bench.store_with(&Options::new().strict_names(true));
    let refused = [
        (Stream::new("c", "s"), event()),
        (Stream::new("1c", "s"), event()),
        (Stream::new("c d", "s"), event()),
        (Stream::new("accounts", " "), event()),
        (Stream::new("accounts", "s".repeat(256)), event()),
        (Stream::new("accounts", "s"), builder().with_name("").build()),
        (Stream::new("accounts", "s"), builder().with_id("\u{1f}").build()),
        (Stream::new("accounts", "s"), builder().with_attribute("Tenant", 1).build()),
    ];
    for (stream, event) in refused {
        let outcome = append(&store, &stream, &[event], Condition::any());
        assert!(matches!(outcome, Err(AppendError::InvalidName { .. })), "{stream}: {outcome:?}");
    }
    assert!(store.log().read().unwrap().is_empty());
    for stream in [Stream::new("accounts", "s"), Stream::new("a.b_c-1", ""), Stream::new("accounts", "\u{e4} b")] {
        save(&store, &stream, &[event()]);
    }
    assert!(store.category("c").read().unwrap().is_empty());
    Outcome::Passed
}

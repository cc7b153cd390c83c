//! Tests of selectors: what they match, their flat form, their limits, their JSON, binding.

use super::super::limit::LimitedThing;
use super::*;
use serde_json::json;

const ALL: [(&str, &str, &str); 8] = [
    ("accounts", "acc-1", "opened"),
    ("accounts", "acc-2", "open"),
    ("accounts", "", "closed"),
    ("accountsé", "acc-1", "opened"),
    ("", "", ""),
    (" ", "a\u{1f}b", "opened"),
    ("t", "acc-1", "Opened"),
    (".github", "x", "opened"),
];

/// The places in [`ALL`] of the events that match.
fn matching(selector: &Selector) -> Vec<usize> {
    let matches = |index: &usize| {
        let (category, stream, name) = ALL[*index];
        selector.matches(&EventNames::new(category, stream, name))
    };
    (0..ALL.len()).filter(matches).collect()
}

fn nodes(json: serde_json::Value) -> Vec<SelectorNode> {
    serde_json::from_value(json).unwrap()
}

fn from_json(json: serde_json::Value) -> Result<Selector, SelectorError> {
    Selector::from_nodes(&nodes(json))
}

#[test]
fn comparisons_are_byte_by_byte_of_the_whole_name_or_its_beginning() {
    assert_eq!(matching(&Selector::category("accounts")), [0, 1, 2]);
    assert_eq!(matching(&Selector::category_prefix("account")), [0, 1, 2, 3]);
    assert_eq!(matching(&Selector::category_prefix("accounts")), [0, 1, 2, 3]);
    assert!(matching(&Selector::category("Accounts")).is_empty());
    assert_eq!(matching(&Selector::category(".github")), [7]);
    assert_eq!(matching(&Selector::category("")), [4]);
    assert_eq!(matching(&Selector::category(" ")), [5]);
    assert_eq!(matching(&Selector::stream("acc-1")), [0, 3, 6], "in any category");
    assert_eq!(matching(&Selector::stream("a\u{1f}b")), [5]);
    assert_eq!(matching(&Selector::stream_prefix("acc-")), [0, 1, 3, 6]);
    assert_eq!(matching(&Selector::name("open")), [1]);
    assert_eq!(matching(&Selector::name_prefix("open")), [0, 1, 3, 5, 7]);
    assert_eq!(matching(&Selector::name_prefix("")), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(matching(&Selector::category_prefix("")), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn no_stream_is_the_stream_named_by_nothing_and_has_no_prefix() {
    assert_eq!(matching(&Selector::no_stream()), [2, 4]);
    assert_eq!(Selector::no_stream(), Selector::stream(""));
    assert_eq!(matching(&Selector::stream_prefix("")), [0, 1, 3, 5, 6, 7]);
    assert_eq!(matching(&(Selector::no_stream() | Selector::stream_prefix(""))).len(), ALL.len());
}

#[test]
fn and_and_or_nest() {
    let opened = Selector::name("opened");
    assert_eq!(matching(&(Selector::category("accounts") & opened.clone())), [0]);
    assert_eq!(matching(&Selector::category("accounts").or(opened.clone())), [0, 1, 2, 3, 5, 7]);
    let nested = (Selector::stream("acc-1") | Selector::no_stream()) & (opened | Selector::name("closed"));
    assert_eq!(matching(&nested), [0, 2, 3]);
    assert_eq!(matching(&Selector::from(Stream::new("accounts", "acc-1"))), [0]);
    assert_eq!(matching(&Selector::from(Category::new("t"))), [6]);
    assert_eq!(matching(&Selector::category("accounts").and(Stream::new("accounts", ""))), [2]);
}

#[test]
fn the_flat_form_is_in_post_order() {
    let (a, b, c) = (Selector::category("a"), Selector::stream("b"), Selector::name("c"));
    let json = json!([
        {"equals": {"category": "a"}}, {"equals": {"stream": "b"}}, {"and": [0, 1]}, {"equals": {"name": "c"}},
        {"or": [2, 3]},
    ]);
    let selector = (a.clone() & b.clone()) | c.clone();
    assert_eq!(serde_json::to_value(&selector).unwrap(), json);
    assert_eq!(serde_json::from_value::<Selector>(json).unwrap(), selector);
    let right = a & (b | c);
    assert_eq!(right.nodes()[3..], [SelectorNode::Or(1, 2), SelectorNode::And(0, 3)]);
    assert_eq!(Selector::from_nodes(right.nodes()), Ok(right));
}

#[test]
fn equality_is_structural() {
    let (a, b) = (Selector::category("a"), Selector::name("b"));
    assert_eq!(a.clone() & b.clone(), a.clone() & b.clone());
    assert_ne!(a.clone() & b.clone(), b.clone() & a.clone());
    assert_ne!(a.clone() & b.clone(), a.clone() | b.clone());
    assert_ne!(Selector::name("x"), Selector::name_prefix("x"));
    assert_ne!(Selector::name("x"), Selector::stream("x"));
    let shared = from_json(json!([{"equals": {"name": "x"}}, {"and": [0, 0]}])).unwrap();
    assert_eq!(shared, Selector::name("x") & Selector::name("x"));
    let other_order = from_json(json!([{"equals": {"name": "b"}}, {"equals": {"category": "a"}}, {"and": [1, 0]}]));
    assert_eq!(other_order.unwrap(), a & b);
}

#[test]
fn lists_that_are_no_selector_are_refused() {
    assert_eq!(Selector::from_nodes(&[]), Err(SelectorError::Empty));
    let leaf = json!({"equals": {"name": "x"}});
    let refused = |json| from_json(json).unwrap_err();
    assert_eq!(refused(json!([{"and": [0, 0]}])), SelectorError::ForwardReference { node: 0, to: 0 });
    assert_eq!(refused(json!([leaf, {"or": [0, 1]}])), SelectorError::ForwardReference { node: 1, to: 1 });
    assert_eq!(refused(json!([leaf, {"or": [2, 0]}, leaf])), SelectorError::ForwardReference { node: 1, to: 2 });
    assert_eq!(
        refused(json!([leaf, {"and": [0, u32::MAX]}])),
        SelectorError::ForwardReference { node: 1, to: u32::MAX }
    );
    // Also where the root does not reach it.
    assert_eq!(refused(json!([{"and": [0, 1]}, leaf])), SelectorError::ForwardReference { node: 0, to: 0 });
}

#[test]
fn nodes_that_are_not_reached_are_accepted_and_left_out() {
    let selector = from_json(json!([
        {"equals": {"name": "lost"}}, {"equals": {"name": "x"}}, {"and": [0, 1]}, {"equals": {"name": "y"}}, {"or": [3, 1]},
    ]));
    assert_eq!(selector.unwrap(), Selector::name("y") | Selector::name("x"));
}

#[test]
fn what_is_shared_is_counted_as_often_as_it_is_used() {
    // Each node doubles the one before it.
    let doubling = |times: u32| {
        let leaf = SelectorNode::Equals(FieldValue::name("x"));
        let nodes: Vec<SelectorNode> =
            std::iter::once(leaf).chain((0..times).map(|place| SelectorNode::And(place, place))).collect();
        Selector::from_nodes(&nodes)
    };
    assert_eq!(doubling(11).unwrap().nodes().len(), 4_095);
    for times in [12, 64, 1_000, 4_095] {
        let Err(SelectorError::Limit(limit)) = doubling(times) else { panic!("{times}") };
        assert_eq!((limit.thing, limit.limit), (LimitedThing::SelectorNodes, 4_096));
    }
    assert!(matches!(doubling(12), Err(SelectorError::Limit(limit)) if limit.actual == 8_191));
}

#[test]
fn size_depth_and_text_are_bounded() {
    let chain = |levels: usize| {
        std::iter::repeat_with(|| Selector::name("x")).take(levels).reduce(|all, next| next.and(all)).unwrap()
    };
    assert_eq!(chain(1_024).check(), Ok(()));
    let limit = chain(1_025).check().unwrap_err();
    assert_eq!((limit.thing, limit.actual, limit.limit), (LimitedThing::SelectorDepth, 1_025, 1_024));
    let Err(SelectorError::Limit(limit)) = Selector::from_nodes(chain(1_025).nodes()) else { panic!() };
    assert_eq!(limit.thing, LimitedThing::SelectorDepth);
    let wide = (0..12).fold(Selector::name("x"), |all, _| all.clone() | all);
    assert_eq!(wide.check().unwrap_err().thing, LimitedThing::SelectorNodes);
    let long = Selector::name("x".repeat(1 << 19));
    assert_eq!((long.clone() | long.clone()).check(), Ok(()));
    let limit = (long.clone() | long | Selector::name("y")).check().unwrap_err();
    assert_eq!((limit.thing, limit.actual), (LimitedThing::SelectorBytes, (1 << 20) + 1));
    let half = || SelectorNode::Equals(FieldValue::name("x".repeat((1 << 19) + 1)));
    let Err(SelectorError::Limit(limit)) = Selector::from_nodes(&[half(), half(), SelectorNode::Or(0, 1)]) else {
        panic!()
    };
    assert_eq!((limit.thing, limit.actual), (LimitedThing::SelectorBytes, (1 << 20) + 2));
    assert!(Selector::from_nodes(&vec![SelectorNode::Equals(FieldValue::no_stream()); 4_097]).is_err());
}

#[test]
fn verdicts_that_wait_are_kept_however_many() {
    let event = EventNames::new("c", "", "x");
    let (yes, no) = (Selector::name("x"), Selector::name("y"));
    let nested = |first: &Selector, all: &Selector, join: fn(Selector, Selector) -> Selector, levels: usize| {
        join(first.clone(), (1..levels).fold(all.clone(), |inner, _| join(all.clone(), inner)))
    };
    for levels in 1..200 {
        assert!(!nested(&no, &yes, Selector::and, levels).matches(&event), "{levels}");
        assert!(nested(&yes, &no, Selector::or, levels).matches(&event), "{levels}");
    }
}

#[test]
fn deep_selectors_are_walked_without_recursion() {
    const LEVELS: usize = 3_000;
    let walk = || {
        let mut selector = Selector::name("x");
        for _ in 0..LEVELS {
            selector = Selector::category("c").and(selector);
        }
        assert!(selector.matches(&EventNames::new("c", "", "x")));
        assert!(!selector.matches(&EventNames::new("c", "", "y")) && !selector.matches(&EventNames::new("d", "", "x")));
        assert_eq!(selector.to_string().matches("category").count(), LEVELS);
        assert_eq!(selector.clone(), selector);
        assert!(Selector::from_nodes(selector.nodes()).is_err());
    };
    // A stack that could not bear a frame for each level.
    std::thread::Builder::new().stack_size(64 << 10).spawn(walk).unwrap().join().unwrap();
}

#[test]
fn hostile_json_is_refused_and_not_read_to_its_end() {
    let leaf = r#"{"equals":{"name":"x"}}"#;
    for bad in [
        "[]",
        "{}",
        "7",
        r#"[{"not":0}]"#,
        r#"[{"equals":{"colour":"red"}}]"#,
        r#"[{"equals":{"name":"x","stream":"y"}}]"#,
        r#"[{"equals":{"name":"x"},"or":[0,0]}]"#,
        r#"[{"equals":{"name":null}}]"#,
        r#"[{"equals":{"name":{"parameter":"p"}}}]"#,
        &format!(r#"[{leaf},{{"and":[0]}}]"#),
        &format!(r#"[{leaf},{{"and":[0,-1]}}]"#),
        &format!(r#"[{leaf},{{"and":[0,4294967296]}}]"#),
        &format!(r#"[{leaf},{{"and":[0,1]}}]"#),
        &"[".repeat(100_000),
        &r#"[{"and":"#.repeat(100_000),
    ] {
        assert!(serde_json::from_str::<Selector>(bad).is_err(), "{}", &bad[..bad.len().min(60)]);
    }
    let endless = format!("[{}", format!("{leaf},").repeat(5_000));
    let error = serde_json::from_str::<Selector>(&endless).unwrap_err().to_string();
    assert!(error.contains("too many nodes in a selector: 4097"), "{error}");
}

#[test]
fn message_pack_keeps_selectors_and_templates() {
    let selector = Selector::category("accounts") & (Selector::name_prefix("money-") | Selector::no_stream());
    let template = SelectorTemplate::from(selector.clone()) | SelectorTemplate::stream(parameter("account"));
    for bytes in [rmp_serde::to_vec(&selector).unwrap(), rmp_serde::to_vec_named(&selector).unwrap()] {
        assert_eq!(rmp_serde::from_slice::<Selector>(&bytes).unwrap(), selector);
    }
    for bytes in [rmp_serde::to_vec(&template).unwrap(), rmp_serde::to_vec_named(&template).unwrap()] {
        assert_eq!(rmp_serde::from_slice::<SelectorTemplate>(&bytes).unwrap(), template);
    }
}

#[test]
fn strict_lists_hold_names_that_the_database_api_writes() {
    let strict = |json| Selector::from_strict_nodes(&nodes(json));
    for good in [
        json!([{"equals": {"category": "accounts"}}]),
        json!([{"equals": {"stream": ""}}]),
        json!([{"equals": {"stream": "acc/1"}}]),
        json!([{"startsWith": {"category": "a"}}, {"startsWith": {"stream": "1"}}, {"or": [0, 1]}]),
    ] {
        assert!(strict(good.clone()).is_ok(), "{good}");
    }
    for (bad, what, node) in [
        (json!([{"equals": {"category": "t"}}]), "category", 0),
        (json!([{"equals": {"name": "x"}}, {"equals": {"stream": " "}}, {"or": [0, 1]}]), "stream", 1),
        (json!([{"equals": {"name": ""}}]), "event", 0),
        (json!([{"startsWith": {"category": ""}}]), "category", 0),
        (json!([{"startsWith": {"stream": ""}}]), "stream", 0),
        (json!([{"equals": {"name": "a\u{1f}b"}}, {"equals": {"name": "reached"}}]), "event", 0),
    ] {
        let Err(SelectorError::InvalidName { node: found, source }) = strict(bad.clone()) else { panic!("{bad}") };
        assert_eq!((found, source.what), (node, what), "{bad}");
        assert!(from_json(bad).is_ok(), "the store accepts any name");
    }
    assert_eq!(strict(json!([{"and": [0, 0]}])), Err(SelectorError::ForwardReference { node: 0, to: 0 }));
}

#[test]
fn texts_show_the_structure() {
    let (a, b, c) = (Selector::category("a"), Selector::no_stream(), Selector::name_prefix("c"));
    let shown = |selector: Selector| selector.to_string();
    assert_eq!(shown(a.clone() & b.clone() & c.clone()), r#"(category is "a" and no stream) and name starts with "c""#);
    assert_eq!(
        shown(a.clone() & (b.clone() | c.clone())),
        r#"category is "a" and (no stream or name starts with "c")"#
    );
    assert_eq!(format!("{:?}", a | c), r#"Selector(category is "a" or name starts with "c")"#);
    let template = SelectorTemplate::stream(parameter("p")) & SelectorTemplate::name("n");
    assert_eq!(format!("{template:?}"), r#"SelectorTemplate(stream is parameter "p" and name is "n")"#);
}

fn template() -> SelectorTemplate {
    SelectorTemplate::category(parameter("where"))
        & (SelectorTemplate::stream(parameter("who")) | SelectorTemplate::stream_prefix(parameter("who")))
        & SelectorTemplate::name("opened")
}

#[test]
fn binding_puts_values_in_the_place_of_parameters() {
    let bound = template().bind([("who", FieldValue::stream("acc")), ("where", FieldValue::category("c"))]).unwrap();
    let expected =
        Selector::category("c") & (Selector::stream("acc") | Selector::stream_prefix("acc")) & Selector::name("opened");
    assert_eq!(bound, expected);
    let parameters: Vec<_> =
        SelectorTemplate::parameters(&template()).map(|(name, kind)| (name.to_owned(), kind)).collect();
    assert_eq!(parameters, [("where".to_owned(), EventField::Category), ("who".to_owned(), EventField::Stream)]);
    let dotted = SelectorTemplate::stream(parameter("subject.account_id"));
    let none = dotted.bind([("subject.account_id", FieldValue::no_stream())]).unwrap();
    assert_eq!(none, Selector::no_stream(), "no stream can be bound where all of it is compared");
    assert_eq!(SelectorTemplate::from(expected.clone()).bind::<&str>([]), Ok(expected));
}

#[test]
fn wrong_bindings_are_refused_with_what_is_wrong() {
    let bind = |arguments: &[(&'static str, FieldValue)]| template().bind(arguments.iter().cloned()).unwrap_err();
    let (place, who) = (("where", FieldValue::category("c")), ("who", FieldValue::stream("s")));
    assert_eq!(
        bind(std::slice::from_ref(&place)),
        BindError::Unbound { parameter: "who".into(), expected: EventField::Stream }
    );
    assert_eq!(
        bind(&[place.clone(), who.clone(), ("when", FieldValue::name("n"))]),
        BindError::Unknown { parameter: "when".into() }
    );
    assert_eq!(bind(&[place.clone(), who.clone(), who.clone()]), BindError::BoundTwice { parameter: "who".into() });
    assert_eq!(
        bind(&[("where", FieldValue::stream("c")), who]),
        BindError::WrongKind { parameter: "where".into(), expected: EventField::Category, actual: EventField::Stream }
    );
    assert_eq!(
        bind(&[place.clone(), ("who", FieldValue::no_stream())]),
        BindError::EmptyPrefix { parameter: "who".into(), field: EventField::Stream }
    );
    let huge = bind(&[place, ("who", FieldValue::stream("s".repeat(600_000)))]);
    assert!(matches!(huge, BindError::Limit(limit) if limit.thing == LimitedThing::SelectorBytes), "{huge}");
}

#[test]
fn templates_are_checked_when_they_are_registered() {
    assert_eq!(template().check(), Ok(()));
    let torn = SelectorTemplate::name(parameter("p")) | SelectorTemplate::stream_prefix(parameter("p"));
    let (one, other) = (EventField::Name, EventField::Stream);
    assert_eq!(torn.check(), Err(SelectorError::ConflictingKinds { parameter: "p".into(), one, other }));
    assert!(matches!(torn.bind([("p", FieldValue::name("n"))]), Err(BindError::WrongKind { .. })));
    let blank = SelectorTemplate::from_strict_nodes(SelectorTemplate::category("t").nodes());
    assert!(matches!(blank, Err(SelectorError::InvalidName { .. })));
    assert!(SelectorTemplate::from_strict_nodes(template().nodes()).is_ok());
}

#[test]
fn templates_have_the_json_of_selectors_with_parameters() {
    let json = json!([{"equals": {"stream": {"parameter": "account_id"}}}]);
    let template = SelectorTemplate::stream(parameter("account_id"));
    assert_eq!(serde_json::to_value(&template).unwrap(), json);
    assert_eq!(serde_json::from_value::<SelectorTemplate>(json).unwrap(), template);
    let plain = serde_json::to_string(&Selector::name("n")).unwrap();
    assert_eq!(serde_json::from_str::<SelectorTemplate>(&plain).unwrap(), Selector::name("n").into());
    for bad in [
        r#"[{"equals":{"stream":{"parameter":7}}}]"#,
        r#"[{"equals":{"stream":{"name":"p"}}}]"#,
        r#"[{"equals":{"stream":{}}}]"#,
        r#"[{"equals":{"stream":{"parameter":"p","parameter":"q"}}}]"#,
        r#"[{"equals":{"stream":["p"]}}]"#,
    ] {
        assert!(serde_json::from_str::<SelectorTemplate>(bad).is_err(), "{bad}");
    }
}

/// A selector as it is in books: the slow, obvious reference.
enum Plain {
    Compare(bool, EventField, &'static str),
    And(Box<Plain>, Box<Plain>),
    Or(Box<Plain>, Box<Plain>),
}

impl Plain {
    fn random(random: &mut fastrand::Rng, levels: u32) -> Plain {
        let is_leaf = levels == 0 || random.u8(..) < 64;
        let mut below = || Box::new(Plain::random(random, levels - 1));
        if !is_leaf {
            let (left, right) = (below(), below());
            return if random.bool() { Plain::And(left, right) } else { Plain::Or(left, right) };
        }
        let field = [EventField::Category, EventField::Stream, EventField::Name][random.usize(..3)];
        let texts = ["", "a", "acc", "accounts", "acc-1", "acc-", "open", "opened", "t", " ", "é"];
        Plain::Compare(random.bool(), field, texts[random.usize(..texts.len())])
    }

    fn selector(&self) -> Selector {
        match *self {
            Plain::Compare(true, EventField::Category, text) => Selector::category(text),
            Plain::Compare(true, EventField::Stream, text) => Selector::stream(text),
            Plain::Compare(true, EventField::Name, text) => Selector::name(text),
            Plain::Compare(false, EventField::Category, text) => Selector::category_prefix(text),
            Plain::Compare(false, EventField::Stream, text) => Selector::stream_prefix(text),
            Plain::Compare(false, EventField::Name, text) => Selector::name_prefix(text),
            Plain::And(ref left, ref right) => left.selector() & right.selector(),
            Plain::Or(ref left, ref right) => left.selector() | right.selector(),
        }
    }

    fn matches(&self, event: &EventNames<'_>) -> bool {
        match self {
            Plain::Compare(true, field, text) => event.field(*field) == *text,
            Plain::Compare(false, EventField::Stream, text) => {
                !event.stream.is_empty() && event.stream.starts_with(text)
            }
            Plain::Compare(false, field, text) => event.field(*field).starts_with(text),
            Plain::And(left, right) => left.matches(event) && right.matches(event),
            Plain::Or(left, right) => left.matches(event) || right.matches(event),
        }
    }
}

#[test]
fn random_selectors_match_what_the_plain_reference_does() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut hits, mut misses) = (0, 0);
    for round in 0..2_000 {
        let plain = Plain::random(&mut random, round % 8);
        let mut selector = plain.selector();
        let read = Selector::from_nodes(selector.nodes()).unwrap();
        assert_eq!((&read, read.to_string()), (&selector, selector.to_string()));
        // The way of judging that deep ones take gives the same.
        let flat = selector.clone();
        for _ in 0..70 {
            selector = selector.and(Selector::name_prefix(""));
        }
        for (category, stream, name) in ALL {
            let event = EventNames::new(category, stream, name);
            let expected = plain.matches(&event);
            assert_eq!((flat.matches(&event), selector.matches(&event)), (expected, expected), "{flat} on {event:?}");
            *(if expected { &mut hits } else { &mut misses }) += 1;
        }
    }
    assert!(hits > 2_000 && misses > 10_000, "{hits} hits, {misses} misses");
}

//! `append`: one event into a stream, on a condition if there is one.

use crate::args::{AppendArgs, Expect, PayloadAs};
use crate::exit::{Code, Failure};
use crate::open;
use crate::output::{Output, durability, plain};
use serde_json::json;
use std::io::Read;
use stratalog::{
    Condition, Durability, NewEvent, Payload, Receipt, position_is, stream_exists, stream_is_empty, transaction,
};

pub(crate) fn run(arguments: AppendArgs, out: &mut Output) -> Result<(), Failure> {
    // All that can be wrong with the event is found before a store is made.
    let event = event(&arguments)?;
    let store = open::for_writing(&arguments.store, Durability::Sync)?;
    let mut whole = transaction().stream_if(
        arguments.category.as_str(),
        arguments.stream.as_str(),
        [event],
        condition(&arguments.expect),
    );
    if let Some(id) = arguments.transaction_id {
        whole = whole.id(id);
    }
    let receipt = store.append(whole)?;
    open::close(&store)?;
    if out.json {
        return out.object(&to_json(&receipt));
    }
    let place = format!("{}/{}", plain(&arguments.category), plain(&arguments.stream));
    let verb = if receipt.is_repeat() { "was there already" } else { "appended" };
    out.line(format_args!("{verb}: {} in {place}", plain(&arguments.name)))?;
    let mut pairs = vec![
        ("sequence number", shown(receipt.first_sequence_number())),
        ("position", shown(receipt.last_position())),
        ("revision", receipt.revision().to_string()),
        ("recorded at", receipt.recorded_at().to_string()),
        ("durability", durability(receipt.durability()).to_owned()),
    ];
    if let Some(id) = receipt.transaction_id() {
        pairs.push(("transaction", plain(id)));
    }
    if receipt.clock_is_behind() {
        pairs.push(("clock", "more than an hour behind the store's last time, which was taken instead".to_owned()));
    }
    out.pairs(&pairs)
}

fn shown(number: Option<impl std::fmt::Display>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn condition(expect: &Expect) -> Condition {
    match expect {
        Expect { expect_position: Some(position), .. } => position_is(*position),
        Expect { expect_empty: true, .. } => stream_is_empty(),
        Expect { expect_exists: true, .. } => stream_exists(),
        _ => Condition::any(),
    }
}

fn event(arguments: &AppendArgs) -> Result<NewEvent, Failure> {
    let mut payload = match &arguments.payload {
        None => Payload::none(),
        Some(dash) if dash == "-" => payload(arguments.payload_as, stdin()?)?,
        Some(given) => payload(arguments.payload_as, given.clone().into_bytes())?,
    };
    if let Some(content_type) = &arguments.content_type {
        payload = payload.with_content_type(content_type.as_str());
    }
    let mut event = NewEvent::from_payload(arguments.name.as_str(), payload);
    if let Some(id) = &arguments.id {
        event = event.with_id(id.as_str());
    }
    if let Some(time) = arguments.occurred_at {
        event = event.with_occurred_at(time);
    }
    for (name, value) in &arguments.attribute {
        event = event.with_attribute(name.as_str(), value.as_str());
    }
    Ok(event)
}

fn stdin() -> Result<Vec<u8>, Failure> {
    // One more than the most, so that the store can say that it is too much.
    let most = stratalog::Limits::default().payload_bytes as u64 + 1;
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(Code::BadInput, format_args!("cannot read stdin: {error}")))?;
    Ok(bytes)
}

fn payload(kind: PayloadAs, bytes: Vec<u8>) -> Result<Payload, Failure> {
    if matches!(kind, PayloadAs::Binary) {
        return Ok(Payload::binary(bytes));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| Failure::new(Code::BadInput, format_args!("the payload is not UTF-8: {error}")))?;
    match kind {
        PayloadAs::Json => Payload::json_text(text.trim_end())
            .map_err(|error| Failure::new(Code::BadInput, format_args!("{error}; for text use --as text"))),
        _ => Ok(Payload::text(text)),
    }
}

fn to_json(receipt: &Receipt) -> serde_json::Value {
    json!({
        "sequence_number": receipt.first_sequence_number(),
        "position": receipt.last_position(),
        "basis": receipt.basis(),
        "revision": receipt.revision(),
        "count": receipt.count(),
        "recorded_at": receipt.recorded_at(),
        "transaction": receipt.transaction_id(),
        "repeat": receipt.is_repeat(),
        "clock_is_behind": receipt.clock_is_behind(),
        "durability": durability(receipt.durability()),
    })
}

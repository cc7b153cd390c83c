//! `salvage`: copies what a damaged store proves into a new one, and lists what it does not.

use crate::args::SalvageArgs;
use crate::exit::{Code, Failure};
use crate::open::{self, DroppedRange, Keep, Salvaged, Why};
use crate::output::{Output, count, progress, things};
use serde_json::{Value, json};

pub(crate) fn run(arguments: &SalvageArgs, out: &mut Output) -> Result<(), Failure> {
    let keep = if arguments.prefix { Keep::Prefix } else { Keep::Provable };
    let bar = progress("salvaging", Some(0), true);
    let salvaged = open::salvage(&arguments.store, &arguments.new, keep, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let salvaged = salvaged?;
    if out.json {
        out.object(&to_json(&salvaged))?
    } else {
        show(&salvaged, out)?
    }
    if salvaged.is_complete() {
        return Ok(());
    }
    let new = arguments.new.display();
    Err(Failure::new(
        Code::Dropped,
        format_args!("{new} holds what could be proven, and not all of {}", arguments.store.display()),
    ))
}

fn show(salvaged: &Salvaged, out: &mut Output) -> Result<(), Failure> {
    let events = things(salvaged.events, "event", "events");
    let transactions = things(salvaged.transactions, "transaction", "transactions");
    let whole = if salvaged.is_complete() { "everything" } else { "not everything" };
    out.line(format_args!("{}: {events}, {transactions} copied", out.strong(whole)))?;
    for kept in &salvaged.kept {
        let place = format!("kept     segment {}, from offset {}", kept.segment, kept.offset);
        out.line(format_args!(
            "{place}: {}{}",
            things(kept.transactions, "transaction", "transactions"),
            numbers(kept)
        ))?;
    }
    for range in &salvaged.dropped {
        let DroppedRange { segment, from, to, what, .. } = range;
        let why = why(range.why).replace('-', " ");
        out.line(format_args!("dropped  segment {segment}, offset {from} to {to}: {why}: {what}"))?;
    }
    for missing in &salvaged.missing {
        let (first, last) = (missing.first, missing.last);
        let events = things(last - first + 1, "event", "events");
        out.line(format_args!("missing  {events}: sequence numbers {} to {}", count(first), count(last)))?;
    }
    if salvaged.settings_lost {
        out.line("lost     the store's settings: names are not strict in the new one")?;
    }
    if !salvaged.closed {
        out.line("note     the store was not closed, or its end is lost: whether more stood behind, nothing tells")?;
    }
    Ok(())
}

/// The events' numbers, and what became of them.
fn numbers(kept: &stratalog::KeptRange) -> String {
    let Some(more) = kept.events.checked_sub(1) else { return ", no events".to_owned() };
    let before = format!("{} to {}", count(kept.first_before), count(kept.first_before + more));
    match kept.first_before == kept.first_now {
        true => format!(", sequence numbers {before}"),
        false => {
            let now = format!("{} to {}", count(kept.first_now), count(kept.first_now + more));
            format!(", sequence numbers {before}, now {now}")
        }
    }
}

fn why(why: Why) -> &'static str {
    match why {
        Why::Damaged => "damaged",
        Why::Unfinished => "unfinished-write",
        Why::BehindDamage => "behind-damage",
    }
}

fn to_json(salvaged: &Salvaged) -> Value {
    let kept = salvaged.kept.iter().map(|kept| {
        json!({
            "segment": kept.segment,
            "offset": kept.offset,
            "transactions": kept.transactions,
            "events": kept.events,
            "first_sequence_number_before": kept.first_before,
            "first_sequence_number": kept.first_now,
        })
    });
    let dropped = salvaged.dropped.iter().map(|range| {
        json!({
            "segment": range.segment,
            "from": range.from,
            "to": range.to,
            "why": why(range.why),
            "what": range.what,
        })
    });
    let missing = salvaged
        .missing
        .iter()
        .map(|missing| json!({ "first_sequence_number": missing.first, "last_sequence_number": missing.last }));
    json!({
        "complete": salvaged.is_complete(),
        "events": salvaged.events,
        "transactions": salvaged.transactions,
        "kept": kept.collect::<Value>(),
        "dropped": dropped.collect::<Value>(),
        "missing": missing.collect::<Value>(),
        "settings_lost": salvaged.settings_lost,
        "closed": salvaged.closed,
    })
}

//! `verify`: reads every byte of a store and says how it is.

use crate::args::StoreArgs;
use crate::exit::{Code, Failure};
use crate::open::{self, Verdict, Verified};
use crate::output::{Output, bytes, progress, things};
use serde_json::json;
use std::time::Instant;

pub(crate) fn run(arguments: &StoreArgs, out: &mut Output) -> Result<(), Failure> {
    let started = Instant::now();
    let bar = progress("verifying", Some(0), true);
    let verified = open::verify(&arguments.store, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let verified = verified?;
    let (verdict, place) = match &verified.verdict {
        Verdict::Clean => ("clean", None),
        Verdict::Torn { segment, offset, what } => ("torn", Some((segment, offset, what))),
        Verdict::Corrupt { segment, offset, what } => ("corrupt", Some((segment, offset, what))),
    };
    if out.json {
        let mut object = json!({
            "verdict": verdict,
            "events": verified.events,
            "transactions": verified.transactions,
            "segments": verified.segments,
            "bytes": verified.bytes,
        });
        if let Some((segment, offset, what)) = place {
            object["segment"] = (*segment).into();
            object["offset"] = (*offset).into();
            object["what"] = what.as_str().into();
        }
        out.object(&object)?;
    } else {
        let seconds = started.elapsed().as_secs_f64();
        out.line(format_args!("{}: {}, {seconds:.2} s", out.strong(verdict), read(&verified)))?;
    }
    let Some((segment, offset, what)) = place else { return Ok(()) };
    let path = arguments.store.display();
    Err(match verdict {
        "torn" => Failure::new(
            Code::Torn,
            format_args!(
                "{path} has a torn tail: segment {segment}, offset {offset}: {what}; \
                 everything before it is whole, and the next open for writing repairs it"
            ),
        ),
        _ => Failure::new(
            Code::Corrupt,
            format_args!(
                "{path} is corrupt: segment {segment}, offset {offset}: {what}; \
                 nothing was changed, and `stratalog salvage` copies what is whole"
            ),
        ),
    })
}

/// How much was read.
pub(crate) fn read(verified: &Verified) -> String {
    format!(
        "{}, {}, {}, {} read",
        things(verified.events, "event", "events"),
        things(verified.transactions, "transaction", "transactions"),
        things(verified.segments, "segment", "segments"),
        bytes(verified.bytes)
    )
}

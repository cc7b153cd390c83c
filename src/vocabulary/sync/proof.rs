//! Runs a model in every order that the bound allows, then its broken twins, each of which must fail.

use super::checked::{Site, sites, weaken};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

/// What goes wrong in a twin: a step of the protocol that is left out or done too early. `None` is the model itself.
pub(crate) type Flaw = Option<&'static str>;

/// A protocol that is proved.
pub(crate) struct Proof {
    pub(crate) name: &'static str,
    /// The model: runs the protocol in a few threads, and panics where it breaks its promise.
    pub(crate) model: fn(Flaw),
    /// Steps that its twins get wrong.
    pub(crate) flaws: &'static [&'static str],
    /// Files whose orderings are proved here: each line that asks for one is a twin too, which does without.
    pub(crate) files: &'static [&'static str],
    /// Lines in these files whose ordering this model does not need. Each is argued where the proof is written.
    pub(crate) spared: &'static [&'static str],
}

/// How a run of a model went.
struct Run {
    executions: u64,
    /// What the model said when it failed.
    failure: Option<String>,
    sites: Vec<Site>,
}

/// One line of what was found, for people and for `scripts/loom`, which counts them.
fn say(line: &str) {
    // A closed output is no reason to fail a proof.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Twins fail by the hundred: their panics are kept out of the output.
fn hush() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() != Some("model") {
                shown(panic);
            }
        }));
    });
}

fn run(model: fn(Flaw), flaw: Flaw, weakened: Option<Site>) -> Run {
    let executions = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&executions);
    let thread = std::thread::Builder::new().name("model".into());
    let task = move || {
        if let Some(site) = weakened {
            weaken(site);
        }
        let checked = catch_unwind(AssertUnwindSafe(|| {
            let mut builder = loom::model::Builder::new();
            builder.max_branches = 20_000;
            builder.check(move || {
                counted.fetch_add(1, Ordering::Relaxed);
                model(flaw);
            });
        }));
        (checked, sites().into_iter().collect())
    };
    let (checked, sites) = thread.spawn(task).unwrap().join().unwrap_or_else(|panic| resume_unwind(panic));
    let executions = executions.load(Ordering::Relaxed);
    let failure = checked.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    });
    Run { executions, failure, sites }
}

/// The text of the line that asks for an ordering.
fn line_of(site: Site) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(site.file())).unwrap();
    text.lines().nth(site.line() as usize - 1).unwrap_or_default().trim().to_owned()
}

impl Proof {
    /// Runs the model, which must hold, and its twins, which must not.
    pub(crate) fn run(&self) {
        hush();
        let begun = std::time::Instant::now();
        let real = run(self.model, None, None);
        assert!(real.failure.is_none(), "model {}: {}", self.name, real.failure.unwrap_or_default());
        let took = begun.elapsed().as_secs_f64();
        say(&format!("model {}: {} executions in {took:.1} s", self.name, real.executions));
        let mut missed = Vec::new();
        for flaw in self.flaws {
            missed.extend(self.twin(flaw, run(self.model, Some(flaw), None)));
        }
        let mut met = Vec::new();
        for site in real.sites.into_iter().filter(|site| self.files.contains(&site.file())) {
            let line = line_of(site);
            if !self.spared.contains(&&*line) {
                let what = format!("no ordering at {}:{}:{}: {line}", site.file(), site.line(), site.column());
                missed.extend(self.twin(&what, run(self.model, None, Some(site))));
            }
            met.push(line);
        }
        assert!(missed.is_empty(), "twins of {} that nobody caught:\n{}", self.name, missed.join("\n"));
        let stale: Vec<_> = self.spared.iter().filter(|line| !met.iter().any(|met| met == *line)).collect();
        assert!(stale.is_empty(), "lines that {} spares and never meets: {stale:#?}", self.name);
    }

    /// Says how a twin went; its name if it was not caught.
    fn twin(&self, what: &str, run: Run) -> Option<String> {
        let reason = run.failure.as_deref().and_then(|text| text.lines().next());
        // A twin that only takes too long is not caught.
        match reason.filter(|reason| !reason.contains("exceeded")) {
            Some(reason) => {
                say(&format!("  twin {}: {what}: caught after {} executions: {reason}", self.name, run.executions));
                None
            }
            None => {
                say(&format!("  twin {}: {what}: NOT CAUGHT in {} executions", self.name, run.executions));
                Some(what.to_owned())
            }
        }
    }
}

//! The conformance suite against every adapter of the crate: one test a theme.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its log has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use stratalog::adapters::StorageAdapter;
use stratalog::adapters::log::LogAdapter;
use stratalog::adapters::memory::MemoryAdapter;
use stratalog::testing::conformance::{Case, Outcome, SuiteOptions, case, cases, run, run_theme, themes};
use stratalog::{Durability, Options};

/// A test a theme against each adapter: its name, the cases it need not pass, the suite's options, and what makes a new one.
macro_rules! suites {
    ($($adapter:ident lacks $lacks:expr, $options:expr, $factory:expr;)*) => {$(
        mod $adapter {
            use super::*;

            suites!(@themes $lacks, $options, $factory;
                save, categories, conditions, custom, refusals, races, scans, bounds, views, tailing, transactions, repeats,
                records, verbatim, fidelity, names, limits, deferred, selectors, log_conditions, life, model);
        }
    )*};
    (@themes $lacks:expr, $options:expr, $factory:expr; $($theme:ident),*) => {
        const THEMES: &[&str] = &[$(stringify!($theme)),*];

        #[test]
        fn has_a_test_a_theme() {
            assert_eq!(super::themes(), THEMES);
        }

        suites!(@each $lacks, $options, $factory; $($theme),*);
    };
    (@each $lacks:expr, $options:expr, $factory:expr; $first:ident $(, $theme:ident)*) => {
        #[test]
        fn $first() {
            super::passes(stringify!($first), &$lacks, $options, $factory);
        }

        suites!(@each $lacks, $options, $factory; $($theme),*);
    };
    (@each $lacks:expr, $options:expr, $factory:expr;) => {};
}

suites! {
    memory lacks ["what_is_in_flight_has_a_bound", "a_long_stream_does_not_make_appends_slow"], SuiteOptions::new(), new_memory;
    log lacks [], SuiteOptions::new(), |options| new_log(options.clone());
    log_os lacks [], SuiteOptions::new(), |options| new_log(options.clone().durability(Durability::Os));
}

/// A log in a directory of its own. Directories are removed when the next run begins: a log may outlive the test that made it.
fn new_log(options: Options) -> Arc<dyn StorageAdapter> {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let name = std::thread::current().name().unwrap_or("suite").replace("::", "-");
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-{name}"));
        let _ = std::fs::remove_dir_all(&root);
        root
    });
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = ROOT.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
    // Small segments, so that every case that writes much goes through rotations.
    Arc::new(LogAdapter::open(path, &options.segment_bytes(64 << 10, 1 << 20)).unwrap())
}

/// Runs a theme, whose cases must all pass but for those that are named.
fn passes(
    theme: &str,
    lacks: &[&str],
    options: SuiteOptions,
    factory: impl Fn(&stratalog::Options) -> Arc<dyn StorageAdapter>,
) {
    for (case, outcome) in run_theme("adapter", theme, &options, factory) {
        let skipped = matches!(outcome, Outcome::NotApplicable(_));
        assert_eq!(skipped, lacks.contains(&case), "{case}: {outcome:?}");
    }
}

fn new_memory(options: &stratalog::Options) -> Arc<dyn StorageAdapter> {
    Arc::new(MemoryAdapter::with_options(options))
}

#[test]
fn one_call_runs_every_case() {
    let report = run("memory", &SuiteOptions::new().threads(2).repeats(1), new_memory);
    let ran: BTreeSet<&str> = report.iter().map(|(case, _)| *case).collect();
    assert_eq!(ran, cases().iter().map(Case::name).collect());
}

#[test]
fn one_case_runs_alone() {
    let case = case("stores_single_event_for_later_retrieval").unwrap();
    assert_eq!((case.theme(), case.run(&SuiteOptions::new(), new_memory)), ("save", Outcome::Passed));
    assert!(themes().contains(&case.theme()));
}

#[test]
fn cases_that_need_options_say_so_where_the_factory_heeds_none() {
    let report = run_theme("memory", "limits", &SuiteOptions::new().heeds_options(false), new_memory);
    assert!(report.iter().any(|(_, outcome)| matches!(outcome, Outcome::NotApplicable(_))));
}

#[test]
fn an_adapter_that_is_not_new_fails() {
    let same = new_memory(&stratalog::Options::new());
    let factory = move |_: &stratalog::Options| Arc::clone(&same);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run_theme("used", "save", &SuiteOptions::new().threads(2).repeats(1), factory)
    }));
    let message = *outcome.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("stores_multiple_events_in_same_stream"), "{message}");
    assert!(!message.contains("stores_single_event_for_later_retrieval"), "{message}");
}

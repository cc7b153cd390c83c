//! The conformance suite: what every storage adapter must do, as named cases that run against any of them.
//!
//! ```
//! use stratalog::adapters::{StorageAdapter, memory::MemoryAdapter};
//! use stratalog::testing::conformance::{SuiteOptions, run};
//! use std::sync::Arc;
//! // By default races run with 40 threads, 200 times each.
//! let options = SuiteOptions::new().threads(2).repeats(1);
//! run("memory", &options, |options| Arc::new(MemoryAdapter::with_options(options)));
//! ```
//!
//! The factory makes a new, empty adapter at every call. A case panics with the message of the assertion that failed. Where the
//! adapter says in its [`Capabilities`](crate::adapters::Capabilities) that it lacks something, the case checks that it says
//! so with a typed error, and reports [`Outcome::NotApplicable`].
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is test code: a failed case panics, and the caller's test harness reports it"
)]

mod bounds;
mod categories;
mod conditions;
mod custom;
mod deferred;
mod fidelity;
mod life;
mod limits;
mod log_conditions;
mod model;
mod names;
mod races;
mod records;
mod refusals;
mod repeats;
mod save;
mod scans;
mod selectors;
mod support;
mod tailing;
mod transactions;
mod verbatim;
mod views;

use crate::adapters::StorageAdapter;
use crate::store::EventStore;
use crate::vocabulary::options::Options;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

/// How hard the suite tries. The defaults suit an adapter in memory; a slow one may use less.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SuiteOptions {
    /// How many threads race. Default 40.
    pub threads: usize,
    /// How often each race is run. Default 200.
    pub repeats: usize,
    /// Whether the factory heeds the limits, the clock and the rule for names in the options it is given. Default: yes. If
    /// not, the cases that need it are not applicable.
    pub heeds_options: bool,
    /// The first seed of the random cases, to run a failure again. Default: another one each time.
    pub seed: Option<u64>,
}

impl Default for SuiteOptions {
    fn default() -> Self {
        Self { threads: 40, repeats: 200, heeds_options: true, seed: None }
    }
}

impl SuiteOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`SuiteOptions::threads`]; at least 2.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(2);
        self
    }

    /// Sets [`SuiteOptions::repeats`]; at least 1.
    #[must_use]
    pub fn repeats(mut self, repeats: usize) -> Self {
        self.repeats = repeats.max(1);
        self
    }

    /// Sets [`SuiteOptions::heeds_options`].
    #[must_use]
    pub fn heeds_options(mut self, heeds: bool) -> Self {
        self.heeds_options = heeds;
        self
    }

    /// Sets [`SuiteOptions::seed`].
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// How a case ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The adapter does what the case asks.
    Passed,
    /// The adapter lacks what the case is about, and says so.
    NotApplicable(String),
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Passed
    }
}

/// What makes a new, empty adapter with the limits, the clock and the rule for names of the options.
pub type Factory<'a> = dyn Fn(&Options) -> Arc<dyn StorageAdapter> + 'a;

/// What a case works with: the factory and the suite's options.
struct Bench<'a> {
    factory: &'a Factory<'a>,
    options: &'a SuiteOptions,
}

impl Bench<'_> {
    /// A store on a new, empty adapter.
    fn store(&self) -> EventStore {
        self.store_with(&Options::default())
    }

    /// A store on a new, empty adapter with these options.
    fn store_with(&self, options: &Options) -> EventStore {
        let adapter = (self.factory)(options);
        let revision = adapter.revision().unwrap();
        assert_eq!(revision.get(), 0, "the factory must make an empty adapter at every call");
        EventStore::from_arc(adapter)
    }

    /// Why a case that needs other options than the defaults cannot run, if it cannot.
    fn deaf(&self) -> Option<Outcome> {
        let reason = "the factory does not heed options (SuiteOptions::heeds_options)";
        (!self.options.heeds_options).then(|| Outcome::NotApplicable(reason.into()))
    }
}

/// One thing that every adapter must do.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    name: &'static str,
    theme: &'static str,
    run: fn(&Bench<'_>) -> Outcome,
}

impl Case {
    /// The case's name: stable, in snake case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The theme that the case belongs to.
    #[must_use]
    pub fn theme(&self) -> &'static str {
        self.theme
    }

    /// Runs the case against a new adapter.
    ///
    /// # Panics
    /// When the adapter does not do what the case asks.
    pub fn run(&self, options: &SuiteOptions, factory: impl Fn(&Options) -> Arc<dyn StorageAdapter>) -> Outcome {
        (self.run)(&Bench { factory: &factory, options })
    }
}

/// Lists a module's cases under a theme.
macro_rules! case_list {
    ($theme:ident: $($name:ident),+ $(,)?) => {
        pub(super) const CASES: &[super::Case] = &[$(super::Case {
            name: stringify!($name),
            theme: stringify!($theme),
            run: |bench| super::Outcome::from($name(bench)),
        }),+];
    };
}
use case_list;

/// All cases, theme by theme.
#[must_use]
pub fn cases() -> &'static [Case] {
    static ALL: LazyLock<Vec<Case>> = LazyLock::new(|| {
        [
            save::CASES,
            categories::CASES,
            conditions::CASES,
            custom::CASES,
            refusals::CASES,
            races::CASES,
            scans::CASES,
            bounds::CASES,
            views::CASES,
            tailing::CASES,
            transactions::CASES,
            repeats::CASES,
            records::CASES,
            verbatim::CASES,
            fidelity::CASES,
            names::CASES,
            limits::CASES,
            deferred::CASES,
            selectors::CASES,
            log_conditions::CASES,
            life::CASES,
            model::CASES,
        ]
        .concat()
    });
    &ALL
}

/// The names of all themes, in order.
#[must_use]
pub fn themes() -> Vec<&'static str> {
    let mut themes: Vec<&str> = cases().iter().map(Case::theme).collect();
    themes.dedup();
    themes
}

/// The case of this name.
#[must_use]
pub fn case(name: &str) -> Option<&'static Case> {
    cases().iter().find(|case| case.name == name)
}

/// How each case that was run ended.
pub type Report = Vec<(&'static str, Outcome)>;

/// Runs every case against an adapter of this name, and says which were not applicable, and why.
///
/// # Panics
/// After all cases were run, with the names of those that failed.
pub fn run(name: &str, options: &SuiteOptions, factory: impl Fn(&Options) -> Arc<dyn StorageAdapter>) -> Report {
    run_all(name, cases().iter(), options, &factory)
}

/// Runs the cases of one theme.
///
/// # Panics
/// As [`run`]; also when there is no such theme.
pub fn run_theme(
    name: &str,
    theme: &str,
    options: &SuiteOptions,
    factory: impl Fn(&Options) -> Arc<dyn StorageAdapter>,
) -> Report {
    let report = run_all(name, cases().iter().filter(|case| case.theme == theme), options, &factory);
    assert!(!report.is_empty(), "no theme {theme:?}; there are {:?}", themes());
    report
}

fn run_all<'a>(
    name: &str,
    cases: impl Iterator<Item = &'a Case>,
    options: &SuiteOptions,
    factory: &Factory<'_>,
) -> Report {
    let (mut report, mut failed) = (Vec::new(), Vec::new());
    for case in cases {
        let bench = Bench { factory, options };
        match catch_unwind(AssertUnwindSafe(|| (case.run)(&bench))) {
            Ok(outcome) => report.push((case.name, outcome)),
            Err(message) => failed.push(format!("{}: {}", case.name, support::panic_text(&*message))),
        }
    }
    assert!(failed.is_empty(), "adapter {name:?} fails {} cases:\n{}", failed.len(), failed.join("\n"));
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_and_themes_hold_together() {
        let names: BTreeSet<&str> = cases().iter().map(Case::name).collect();
        assert_eq!(names.len(), cases().len());
        let distinct: BTreeSet<&str> = themes().into_iter().collect();
        assert_eq!(distinct.len(), themes().len());
        assert!(case("stores_single_event_for_later_retrieval").is_some());
        assert!(case("no_such_case").is_none());
    }
}

//! What all benchmarks share: a directory that goes away, and whether this is a run that only sees that all works.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

/// Whether nothing is to be measured: `cargo bench -- --test`, or a run by another command than `cargo bench`.
pub fn is_test() -> bool {
    let given = |name: &str| std::env::args().any(|argument| argument == name);
    given("--test") || !given("--bench")
}

/// A directory for one store, below the system's own for temporary files.
pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

//! What can go wrong, in one line, and the exit code it has.

use std::fmt;
use std::io;
use stratalog::{AppendError, Error, OpenError, PayloadError, ReadError, Retry};

/// What the exit codes mean, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  another error
  2  wrong usage
  3  a condition does not hold, or a transaction id is taken by other content
  4  no store there
  5  the store is open already
  6  corrupt
  7  torn tail (verify alone; the next open for writing repairs it)
  8  bad input data
  9  something was not copied (salvage alone; the new store is there)";

/// How the program ends when it does not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Whoever read the output has gone: nothing went wrong.
    OutputClosed,
    Other,
    Usage,
    Conflict,
    NotFound,
    AlreadyOpen,
    Corrupt,
    Torn,
    BadInput,
    Dropped,
}

impl Code {
    /// The process's exit code.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::Conflict => 3,
            Self::NotFound => 4,
            Self::AlreadyOpen => 5,
            Self::Corrupt => 6,
            Self::Torn => 7,
            Self::BadInput => 8,
            Self::Dropped => 9,
        }
    }

    /// A word for scripts.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::OutputClosed => "output-closed",
            Self::Other => "other",
            Self::Usage => "usage",
            Self::Conflict => "conflict",
            Self::NotFound => "not-found",
            Self::AlreadyOpen => "already-open",
            Self::Corrupt => "corrupt",
            Self::Torn => "torn",
            Self::BadInput => "bad-input",
            Self::Dropped => "dropped",
        }
    }
}

/// An error on its way to the user.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// Whether a retry is safe, where the store said so.
    pub(crate) retry: Option<Retry>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), retry: None }
    }

    /// The same failure with words before its message.
    pub(crate) fn context(mut self, words: impl fmt::Display) -> Self {
        self.message = format!("{words}: {}", self.message);
        self
    }

    /// The failure as a JSON object.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let mut object = serde_json::json!({
            "error": self.code.word(),
            "exit_code": self.code.number(),
            "message": self.message,
        });
        if let Some(retry) = self.retry {
            let word = match retry {
                Retry::Safe => "safe",
                Retry::AfterReading => "after-reading",
                Retry::WithTransactionId => "with-transaction-id",
                Retry::AfterReopen => "after-reopen",
                Retry::Never => "never",
            };
            object["retry"] = word.into();
        }
        object
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Open(OpenError::NotFound { .. } | OpenError::NotAStore { .. }) => Code::NotFound,
            Error::Open(OpenError::AlreadyOpen { .. }) => Code::AlreadyOpen,
            Error::Open(OpenError::Corrupt(_))
            | Error::Read(ReadError::Corrupt(_))
            | Error::Append(AppendError::Corrupt(_)) => Code::Corrupt,
            Error::Append(AppendError::Unmet(_) | AppendError::DuplicateTransaction { .. }) => Code::Conflict,
            Error::Append(AppendError::Limit(_) | AppendError::InvalidName { .. }) | Error::Time(_) => Code::BadInput,
            _ => Code::Other,
        };
        Self { code, message: error.to_string(), retry: Some(error.retry()) }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Error::from(error).into()
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Error::from(error).into()
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        Error::from(error).into()
    }
}

impl From<PayloadError> for Failure {
    fn from(error: PayloadError) -> Self {
        Error::from(error).into()
    }
}

/// Errors of writing output: everything else names its file.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Code::OutputClosed, "the output was closed"),
            _ => Self::new(Code::Other, format_args!("cannot write the output: {error}")),
        }
    }
}

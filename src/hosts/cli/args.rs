//! The command line's words: commands, arguments and flags.

use crate::exit::EXIT_CODES;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use stratalog::{Durability, Timestamp};

/// The embeddable event store, from the command line.
#[derive(Debug, Parser)]
#[command(name = "stratalog", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    /// Write JSON: one object, or one a line for lists; errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Append the events of a file of JSON lines, one append a transaction
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Write all events as JSON lines that `import` takes
    Export(ExportArgs),
    /// Append one event
    #[command(after_help = "Makes the store where there is none. The event is on disk when the receipt is printed.")]
    Append(AppendArgs),
    /// Show events
    Read(ReadArgs),
    /// Show the events that are meant, by category, stream and name, as the log is or was
    #[command(after_help = QUERY_HELP)]
    Query(QueryArgs),
    /// Show the transactions
    Log(LogArgs),
    /// List the streams
    Streams(StreamsArgs),
    /// List the categories
    Categories(StoreArgs),
    /// Show figures about a store
    Info(StoreArgs),
    /// Read every byte of a store and say whether it is clean, torn or corrupt, and where
    #[command(after_help = "Exit code: 0 clean, 7 torn tail, 6 corrupt. Changes nothing.")]
    Verify(StoreArgs),
    /// Copy what a damaged store proves into a new one, and list what it does not
    #[command(after_help = SALVAGE_HELP)]
    Salvage(SalvageArgs),
    /// Show what Stratalog does, on real events in a new store
    #[command(after_help = "Written for people: --json changes its errors alone.")]
    Demo(DemoArgs),
}

const IMPORT_HELP: &str = "\
Lines hold category, stream and name; and if you like transaction, payload (any JSON), occurred_at, observed_at (RFC 3339) \
and what else `export` writes. Consecutive lines of one transaction are one append under that id: all or nothing. Lines \
without a transaction are an append each.

An import can be repeated: transactions that are there already under their id are passed over. That does not hold for \
lines without a transaction. After a crash, import again, or faster: with --resume, which goes on after the last \
transaction that is there.

A bad line ends the import. Whole transactions before it stay in the store; nothing of its own does.";

const QUERY_HELP: &str = "\
Everything given must hold of an event. Names are compared byte by byte. Without any, all events are meant.

--at-revision and --at choose the log as it was; with both, the older. A revision inside a transaction is that of the whole \
transaction. --effective chooses among the events of that log, and not their order, which is that of the log.

--explain says behind the events how they were found and what was looked at for it; with --json as one object on stderr.";

const SALVAGE_HELP: &str = "\
Events keep their ids, times and content, transactions their ids. Behind a gap they get new sequence numbers and positions, \
because a store has no gaps; the list says which.

The new store is made as NEW.incomplete, and gets its name when it is whole, verified and on disk.

Exit code: 0 everything was copied, 9 something was not.";

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The store's directory; made where there is none
    pub(crate) store: PathBuf,
    /// JSON lines, plain or gzip; `-` is stdin
    pub(crate) file: PathBuf,
    /// Go on after the last transaction that is there
    #[arg(long)]
    pub(crate) resume: bool,
    /// When a transaction is on disk
    #[arg(long, value_enum, default_value_t = ImportDurability::Os)]
    pub(crate) durability: ImportDurability,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ImportDurability {
    /// By the end of the import. Until its last line is printed a power cut may cost the tail: import again then
    Os,
    /// Before the next one begins. Slow: one sync a transaction
    Sync,
}

impl From<ImportDurability> for Durability {
    fn from(durability: ImportDurability) -> Self {
        match durability {
            ImportDurability::Os => Self::Os,
            ImportDurability::Sync => Self::Sync,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// Write to this file, gzip if it ends in .gz; without it, to stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AppendArgs {
    /// The store's directory; made where there is none
    pub(crate) store: PathBuf,
    /// The category
    pub(crate) category: String,
    /// The stream within the category
    pub(crate) stream: String,
    /// The event's name, such as order-placed
    pub(crate) name: String,
    /// The payload; `-` is stdin; without it the event has none
    #[arg(allow_hyphen_values = true)]
    pub(crate) payload: Option<String>,
    /// What the payload is
    #[arg(long = "as", value_enum, default_value_t = PayloadAs::Json, requires = "payload")]
    pub(crate) payload_as: PayloadAs,
    /// What the payload's bytes mean, such as text/csv
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// The event's id; without it the store makes one
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// When it happened, RFC 3339; without it, now
    #[arg(long, value_name = "TIME")]
    pub(crate) occurred_at: Option<Timestamp>,
    /// An attribute of the event, text; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) attribute: Vec<(String, String)>,
    /// Makes a repeat harmless: the same content under the same id is appended once
    #[arg(long, value_name = "ID")]
    pub(crate) transaction_id: Option<String>,
    #[command(flatten)]
    pub(crate) expect: Expect,
}

/// What must hold of the stream; else nothing is appended and the exit code is 3.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Expect {
    /// Only if the stream's last event has this position
    #[arg(long, value_name = "N")]
    pub(crate) expect_position: Option<u64>,
    /// Only if the stream has no events
    #[arg(long)]
    pub(crate) expect_empty: bool,
    /// Only if the stream has events
    #[arg(long)]
    pub(crate) expect_exists: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PayloadAs {
    /// One JSON value, kept as it is
    Json,
    /// Text
    Text,
    /// Bytes
    Binary,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("it has no =".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// Only events of this category
    #[arg(long, short)]
    pub(crate) category: Option<String>,
    /// Only events of this stream of the category
    #[arg(long, short, requires = "category")]
    pub(crate) stream: Option<String>,
    /// Only events after this sequence number
    #[arg(long, value_name = "N")]
    pub(crate) after: Option<u64>,
    /// Only events up to and with this sequence number
    #[arg(long, value_name = "N")]
    pub(crate) until: Option<u64>,
    /// Newest first
    #[arg(long, short)]
    pub(crate) reverse: bool,
    /// At most so many events
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// Only events of this category
    #[arg(long, short, value_name = "NAME")]
    pub(crate) category: Option<String>,
    /// Only events of categories whose names begin so
    #[arg(long, value_name = "PREFIX", conflicts_with = "category")]
    pub(crate) category_prefix: Option<String>,
    /// Only events of streams of this name, in any category
    #[arg(long, short, value_name = "NAME")]
    pub(crate) stream: Option<String>,
    /// Only events of streams whose names begin so; never those without a stream
    #[arg(long, value_name = "PREFIX", conflicts_with = "stream")]
    pub(crate) stream_prefix: Option<String>,
    /// Only events without a stream, which are those of the streams named ""
    #[arg(long, conflicts_with_all = ["stream", "stream_prefix"])]
    pub(crate) no_stream: bool,
    /// Only events of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only events whose names begin so
    #[arg(long, value_name = "PREFIX", conflicts_with = "name")]
    pub(crate) name_prefix: Option<String>,
    /// The log as it was at this revision
    #[arg(long, value_name = "N")]
    pub(crate) at_revision: Option<u64>,
    /// The log as it was at this time, RFC 3339: with what was recorded then or before
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
    /// Only events that occurred then or before, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) effective: Option<Timestamp>,
    /// Newest first
    #[arg(long, short)]
    pub(crate) reverse: bool,
    /// At most so many events
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Say how the events were found
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// From the transaction on that this revision stands in
    #[arg(long, value_name = "N")]
    pub(crate) from: Option<u64>,
    /// At most so many transactions
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct StreamsArgs {
    /// The store's directory
    pub(crate) store: PathBuf,
    /// Only streams of this category
    #[arg(long, short)]
    pub(crate) category: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The store's directory
    pub(crate) store: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SalvageArgs {
    /// The damaged store's directory; nothing in it is changed
    pub(crate) store: PathBuf,
    /// The new store's directory, which must not exist
    pub(crate) new: PathBuf,
    /// Copy only what stands before the first damage, so that every event keeps its numbers
    #[arg(long)]
    pub(crate) prefix: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to make the store; without it, in a new temporary directory
    pub(crate) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}

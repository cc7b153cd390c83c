//! What can be read: a whole log, a category, or one stream of a category.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The whole log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Log {}

impl Log {
    /// The log.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

/// A category: a logical grouping of streams, such as `orders`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Category {
    category: Arc<str>,
}

impl Category {
    /// The category of this name. Any text; limits are checked at append.
    #[must_use]
    pub fn new(category: impl Into<Arc<str>>) -> Self {
        Self { category: category.into() }
    }

    /// The category's name.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// The stream of this name within the category.
    #[must_use]
    pub fn stream(&self, stream: impl Into<Arc<str>>) -> Stream {
        Stream { category: Arc::clone(&self.category), stream: stream.into() }
    }
}

/// A stream: the events of one thing, such as one order. Its name counts within its category only: (`a`, `b-c`) and
/// (`a-b`, `c`) are two streams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Stream {
    category: Arc<str>,
    stream: Arc<str>,
}

impl Stream {
    /// The stream of this name in this category. Any text; limits are checked at append.
    #[must_use]
    pub fn new(category: impl Into<Arc<str>>, stream: impl Into<Arc<str>>) -> Self {
        Self { category: category.into(), stream: stream.into() }
    }

    /// The name of the stream's category.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// The stream's name within its category.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }
}

/// A log, a category or a stream: the target of a scan.
#[doc(alias = "Scannable")]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "Wire", from = "Wire")]
pub enum Identifier {
    /// One stream.
    Stream(Stream),
    /// Every stream of one category.
    Category(Category),
    /// Everything.
    Log(Log),
}

/// The JSON form of all three.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Wire {
    Log,
    Category { category: Arc<str> },
    Stream { category: Arc<str>, stream: Arc<str> },
}

impl From<Identifier> for Wire {
    fn from(identifier: Identifier) -> Self {
        match identifier {
            Identifier::Log(_) => Wire::Log,
            Identifier::Category(Category { category }) => Wire::Category { category },
            Identifier::Stream(Stream { category, stream }) => Wire::Stream { category, stream },
        }
    }
}

impl From<Wire> for Identifier {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Log => Identifier::Log(Log {}),
            Wire::Category { category } => Identifier::Category(Category { category }),
            Wire::Stream { category, stream } => Identifier::Stream(Stream { category, stream }),
        }
    }
}

macro_rules! wired {
    ($name:ident, $wanted:literal) => {
        impl From<$name> for Wire {
            fn from(identifier: $name) -> Self {
                Identifier::from(identifier).into()
            }
        }

        impl TryFrom<Wire> for $name {
            type Error = String;

            fn try_from(wire: Wire) -> Result<Self, String> {
                match wire.into() {
                    Identifier::$name(identifier) => Ok(identifier),
                    other => Err(format!(concat!("expected a ", $wanted, ", found the {}"), other)),
                }
            }
        }
    };
}

wired!(Log, "log");
wired!(Category, "category");
wired!(Stream, "stream");

impl From<Log> for Identifier {
    fn from(log: Log) -> Self {
        Identifier::Log(log)
    }
}

impl From<Category> for Identifier {
    fn from(category: Category) -> Self {
        Identifier::Category(category)
    }
}

impl From<Stream> for Identifier {
    fn from(stream: Stream) -> Self {
        Identifier::Stream(stream)
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("log")
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "category {:?}", self.category)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {:?} of category {:?}", self.stream, self.category)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identifier::Log(log) => log.fmt(f),
            Identifier::Category(category) => category.fmt(f),
            Identifier::Stream(stream) => stream.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_that_of_logicblocks() {
        let stream = Stream::new("orders", "o-1");
        let json = r#"{"type":"stream","category":"orders","stream":"o-1"}"#;
        assert_eq!(serde_json::to_string(&stream).unwrap(), json);
        assert_eq!(serde_json::to_string(&Identifier::from(stream.clone())).unwrap(), json);
        assert_eq!(serde_json::from_str::<Identifier>(json).unwrap(), Identifier::from(stream));
        assert_eq!(serde_json::to_string(&Log::new()).unwrap(), r#"{"type":"log"}"#);
        let category = r#"{"type":"category","category":"orders"}"#;
        assert_eq!(serde_json::to_string(&Category::new("orders")).unwrap(), category);
        assert_eq!(serde_json::from_str::<Identifier>(category).unwrap(), Identifier::from(Category::new("orders")));
        assert_eq!(serde_json::from_str::<Identifier>(r#"{"type":"log"}"#).unwrap(), Identifier::from(Log::new()));
        assert!(serde_json::from_str::<Identifier>(r#"{"type":"shelf"}"#).is_err());
        assert!(serde_json::from_str::<Category>(json).is_err());
    }

    #[test]
    fn a_dash_does_not_confuse_category_and_stream() {
        assert_ne!(Stream::new("a", "b-c"), Stream::new("a-b", "c"));
    }
}

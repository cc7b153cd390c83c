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
    use std::hash::{DefaultHasher, Hash, Hasher};

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

    fn hash_of(value: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    /// One of each, and what differs from it in one field.
    fn all() -> [Identifier; 6] {
        [
            Stream::new("c", "s").into(),
            Stream::new("c", "t").into(),
            Stream::new("d", "s").into(),
            Category::new("c").into(),
            Category::new("d").into(),
            Log::new().into(),
        ]
    }

    #[test]
    fn names_are_given_back() {
        let stream = Category::new("c").stream("s");
        assert_eq!((stream.category(), stream.stream()), ("c", "s"));
        assert_eq!(Category::new("c").category(), "c");
        let any = Stream::new("", "a\0\u{1f980}");
        assert_eq!((any.category(), any.stream()), ("", "a\0\u{1f980}"));
    }

    #[test]
    fn equal_fields_make_equal_values_of_equal_hash_and_other_fields_do_not() {
        for (index, one) in all().iter().enumerate() {
            for (other_index, other) in all().iter().enumerate() {
                assert_eq!(one == other, index == other_index, "{one} and {other}");
                assert_eq!(hash_of(one) == hash_of(other), index == other_index, "{one} and {other}");
            }
        }
        assert_eq!((Log::new(), hash_of(&Log::new())), (Log::default(), hash_of(&Log::default())));
        assert_eq!(Category::new("c"), Category::new(String::from("c")));
        assert_eq!(hash_of(&Category::new("c")), hash_of(&Category::new(String::from("c"))));
        assert_ne!(Category::new("c"), Category::new("C"));
        assert_ne!(hash_of(&Category::new("c")), hash_of(&Category::new("C")));
        assert_eq!(Stream::new("c", "s"), Category::new("c").stream(String::from("s")));
        assert_eq!(hash_of(&Stream::new("c", "s")), hash_of(&Category::new("c").stream(String::from("s"))));
        assert_ne!(hash_of(&Stream::new("c", "s")), hash_of(&Stream::new("s", "c")));
    }

    #[test]
    fn order_is_by_category_then_by_stream() {
        let mut streams = [Stream::new("b", "a"), Stream::new("a", "z"), Stream::new("a", "a"), Stream::new("", "z")];
        streams.sort();
        assert_eq!(
            streams.map(|stream| format!("{}/{}", stream.category(), stream.stream())),
            ["/z", "a/a", "a/z", "b/a"]
        );
        assert!(Category::new("a") < Category::new("b") && Category::new("Z") < Category::new("a"));
        assert_eq!(Log::new().cmp(&Log::new()), std::cmp::Ordering::Equal);
        let mut sorted = all();
        sorted.reverse();
        sorted.sort();
        assert_eq!(sorted, all());
    }

    #[test]
    fn texts_show_every_field() {
        let shown = all().map(|identifier| identifier.to_string());
        let wanted =
            ["stream \"s\" of category \"c\"", "stream \"t\" of category \"c\"", "stream \"s\" of category \"d\""];
        assert_eq!(shown[..3], wanted);
        assert_eq!(shown[3..], ["category \"c\"", "category \"d\"", "log"]);
        assert_eq!(format!("{:?}", Stream::new("c", "s")), "Stream { category: \"c\", stream: \"s\" }");
        assert_eq!(format!("{:?}", Category::new("c")), "Category { category: \"c\" }");
        assert_eq!(format!("{:?}", Log::new()), "Log");
    }

    #[test]
    fn a_dash_does_not_confuse_category_and_stream() {
        assert_ne!(Stream::new("a", "b-c"), Stream::new("a-b", "c"));
    }
}

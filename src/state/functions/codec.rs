//! Codecs: how states and commands are written and read, chosen by their content type.

use crate::vocabulary::payload::media_type;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes and reads values of a type under a content type: [`Json`], [`MessagePack`], or one of your own.
///
/// ```
/// use stratalog::ContentCodec;
///
/// /// A number as decimal text.
/// struct Digits;
///
/// impl ContentCodec<u64> for Digits {
///     const CONTENT_TYPE: &'static str = "text/plain";
///
///     fn encode(value: &u64) -> Result<Vec<u8>, String> {
///         Ok(value.to_string().into_bytes())
///     }
///
///     fn decode(bytes: &[u8]) -> Result<u64, String> {
///         let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
///         text.parse().map_err(|_| format!("{text:?} is no number"))
///     }
/// }
///
/// assert!(Digits::speaks("Text/Plain; charset=utf-8"));
/// assert_eq!(Digits::decode(&Digits::encode(&42).unwrap()), Ok(42));
/// ```
pub trait ContentCodec<T> {
    /// The content type of what is written, unless another one that it speaks is asked for.
    const CONTENT_TYPE: &'static str;

    /// Whether bytes of this content type are written and read by this codec. Parameters (`; charset=…`) and case do not count.
    #[must_use]
    fn speaks(content_type: &str) -> bool {
        media_type(content_type).eq_ignore_ascii_case(media_type(Self::CONTENT_TYPE))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Why it cannot be written, in words.
    fn encode(value: &T) -> Result<Vec<u8>, String>;

    /// Reads a value.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn decode(bytes: &[u8]) -> Result<T, String>;
}

/// JSON: `application/json` and every type that ends in `+json` (or `/json`).
#[doc(alias = "JsonStateView")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> ContentCodec<T> for Json {
    const CONTENT_TYPE: &'static str = "application/json";

    fn speaks(content_type: &str) -> bool {
        crate::vocabulary::payload::is_json(content_type)
    }

    fn encode(value: &T) -> Result<Vec<u8>, String> {
        serde_json::to_vec(value).map_err(|error| error.to_string())
    }

    fn decode(bytes: &[u8]) -> Result<T, String> {
        read_json(bytes)
    }
}

/// MessagePack with field names: `application/msgpack`, also spelled `application/x-msgpack` and `application/vnd.msgpack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagePack;

impl<T: Serialize + DeserializeOwned> ContentCodec<T> for MessagePack {
    const CONTENT_TYPE: &'static str = "application/msgpack";

    fn speaks(content_type: &str) -> bool {
        crate::vocabulary::payload::is_message_pack(content_type)
    }

    fn encode(value: &T) -> Result<Vec<u8>, String> {
        rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
    }

    fn decode(bytes: &[u8]) -> Result<T, String> {
        read_message_pack(bytes)
    }
}

/// Reads what may be JSON or MessagePack, as its content type says; nothing where it is neither.
pub(super) fn read<T: DeserializeOwned>(content_type: &str, bytes: &[u8]) -> Option<Result<T, String>> {
    if crate::vocabulary::payload::is_json(content_type) {
        return Some(read_json(bytes));
    }
    crate::vocabulary::payload::is_message_pack(content_type).then(|| read_message_pack(bytes))
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

fn read_message_pack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut reader = bytes;
    let value = rmp_serde::from_read(&mut reader).map_err(|error| error.to_string())?;
    if reader.is_empty() { Ok(value) } else { Err(format!("{} bytes follow the value", reader.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_told_by_their_media_type() {
        let json = <Json as ContentCodec<u8>>::speaks;
        let packed = <MessagePack as ContentCodec<u8>>::speaks;
        for said in ["application/json", "APPLICATION/JSON", "application/vnd.bank+json; v=1", " text/json"] {
            assert!(json(said) && !packed(said), "{said}");
        }
        for said in ["application/msgpack", "application/x-msgpack;a=b", "Application/Vnd.Msgpack"] {
            assert!(packed(said) && !json(said), "{said}");
        }
        for said in ["", "json", "application/jsonx", "text/plain", "application/xml", "application/msgpack+zip"] {
            assert!(!json(said) && !packed(said), "{said}");
            assert!(read::<u8>(said, b"1").is_none(), "{said}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_may_follow() {
        let value = vec![("a".to_owned(), 1), ("b".to_owned(), 2)];
        let mut packed = MessagePack::encode(&value).unwrap();
        let mut json = Json::encode(&value).unwrap();
        assert_eq!((MessagePack::decode(&packed), Json::decode(&json)), (Ok(value.clone()), Ok(value)));
        packed.push(0);
        json.push(b'0');
        assert!(<MessagePack as ContentCodec<Vec<(String, i32)>>>::decode(&packed).is_err());
        assert!(<Json as ContentCodec<Vec<(String, i32)>>>::decode(&json).is_err());
    }
}

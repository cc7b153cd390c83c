//! Commands: what a state change is asked to do, and how it is read.

use super::codec::{self, ContentCodec};
use crate::vocabulary::function_error::CommandParseError;
use crate::vocabulary::payload::{Codec, Payload, PayloadError};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What a state change is asked to do: a body, its content type and schema. Cloning is cheap.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use stratalog::{Command, CommandParseError};
///
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// struct Deposit {
///     account: String,
///     cents: i64,
/// }
///
/// let command = Command::new(r#"{"account":"acc-42","cents":500}"#, "application/json");
/// assert_eq!(command.parse(), Ok(Deposit { account: "acc-42".into(), cents: 500 }));
/// let other = Command::new("account=acc-42", "application/x-www-form-urlencoded").parse::<Deposit>();
/// assert!(matches!(other, Err(CommandParseError::UnsupportedContentType { .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    body: Option<Bytes>,
    content_type: Arc<str>,
    schema: Option<Arc<str>>,
}

impl Command {
    /// A command with a body of this content type.
    #[must_use]
    pub fn new(body: impl Into<Bytes>, content_type: impl Into<Arc<str>>) -> Self {
        Self { body: Some(body.into()), content_type: content_type.into(), schema: None }
    }

    /// A command without a body.
    #[must_use]
    pub fn without_body() -> Self {
        Self { body: None, content_type: Arc::from(""), schema: None }
    }

    /// A command in JSON.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        Self::encoded(Codec::Json, value)
    }

    /// A command in MessagePack.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written.
    pub fn message_pack<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        Self::encoded(Codec::MessagePack, value)
    }

    fn encoded<T: Serialize + ?Sized>(codec: Codec, value: &T) -> Result<Self, PayloadError> {
        let payload = Payload::encode(codec, value)?;
        let content_type = payload.as_ref().content_type().unwrap_or_default().into();
        Ok(Self { body: Some(payload.bytes), content_type, schema: None })
    }

    /// A command of all its parts. Without a body, its content type may be empty.
    pub(super) fn from_parts(body: Option<Bytes>, content_type: Arc<str>, schema: Option<Arc<str>>) -> Self {
        Self { body, content_type, schema }
    }

    /// Says what the body is.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Arc<str>>) -> Self {
        self.content_type = content_type.into();
        self
    }

    /// Names the body's schema by its URI.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<Arc<str>>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// The body's bytes, if there is a body.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// The content type; empty where there is no body and nobody said any.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The schema's URI, if one was named.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Reads the body as its content type says: JSON or MessagePack.
    ///
    /// # Errors
    /// [`CommandParseError::NoBody`], [`CommandParseError::UnsupportedContentType`] for any other content type,
    /// [`CommandParseError::DeserializationFailed`] when the body is not a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, CommandParseError> {
        let body = self.body.as_deref().ok_or(CommandParseError::NoBody)?;
        settle(codec::read(&self.content_type, body).ok_or_else(|| self.unsupported())?)
    }

    /// Reads the body by a codec of your own.
    ///
    /// # Errors
    /// [`CommandParseError::NoBody`], [`CommandParseError::UnsupportedContentType`] when the codec does not speak the content
    /// type, [`CommandParseError::DeserializationFailed`] when it cannot read the body.
    pub fn parse_with<T, C: ContentCodec<T>>(&self) -> Result<T, CommandParseError> {
        let body = self.body.as_deref().ok_or(CommandParseError::NoBody)?;
        if C::speaks(&self.content_type) { settle(C::decode(body)) } else { Err(self.unsupported()) }
    }

    fn unsupported(&self) -> CommandParseError {
        CommandParseError::UnsupportedContentType { found: self.content_type.as_ref().to_owned() }
    }
}

fn settle<T>(read: Result<T, String>) -> Result<T, CommandParseError> {
    read.map_err(|reason| CommandParseError::DeserializationFailed { reason })
}

/// What a state change reads its command as: anything that serde reads, a [`Command`] as it is, or a type of your own.
///
/// ```
/// use stratalog::{Command, CommandParseError, ContentCodec, FromCommand};
///
/// /// A command whose body is the number of an account, as text.
/// struct Close(u64);
/// # struct Digits;
/// # impl ContentCodec<u64> for Digits {
/// #     const CONTENT_TYPE: &'static str = "text/plain";
/// #     fn encode(value: &u64) -> Result<Vec<u8>, String> { Ok(value.to_string().into_bytes()) }
/// #     fn decode(bytes: &[u8]) -> Result<u64, String> {
/// #         String::from_utf8_lossy(bytes).parse().map_err(|_| "no number".to_owned())
/// #     }
/// # }
///
/// impl FromCommand for Close {
///     fn from_command(command: &Command) -> Result<Self, CommandParseError> {
///         command.parse_with::<u64, Digits>().map(Self)
///     }
/// }
/// # assert!(Close::from_command(&Command::new("42", "text/plain")).is_ok_and(|close| close.0 == 42));
/// ```
pub trait FromCommand: Sized {
    /// Reads a command.
    ///
    /// # Errors
    /// [`CommandParseError`], which becomes a [`StateChangeError::Validation`](crate::StateChangeError::Validation).
    fn from_command(command: &Command) -> Result<Self, CommandParseError>;
}

impl<T: DeserializeOwned> FromCommand for T {
    fn from_command(command: &Command) -> Result<Self, CommandParseError> {
        command.parse()
    }
}

impl FromCommand for Command {
    fn from_command(command: &Command) -> Result<Self, CommandParseError> {
        Ok(command.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_as_their_content_type_says() {
        let wanted = ("acc-42".to_owned(), 500);
        let json = Command::json(&wanted).unwrap();
        let packed = Command::message_pack(&wanted).unwrap();
        assert_eq!((json.content_type(), packed.content_type()), ("application/json", "application/msgpack"));
        let others = [
            json.clone().with_content_type("application/vnd.bank+json; charset=utf-8"),
            packed.clone().with_content_type("application/vnd.msgpack"),
            packed.clone().with_content_type("application/x-msgpack"),
        ];
        for command in [json, packed].into_iter().chain(others) {
            assert_eq!(command.parse::<(String, i32)>().as_ref(), Ok(&wanted), "{command:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_a_typed_error() {
        let parse = |command: &Command| command.parse::<u8>();
        assert_eq!(parse(&Command::without_body()), Err(CommandParseError::NoBody));
        assert_eq!(parse(&Command::without_body().with_content_type("text/csv")), Err(CommandParseError::NoBody));
        for found in ["text/plain", "", "application/xml"] {
            let refused = CommandParseError::UnsupportedContentType { found: found.into() };
            assert_eq!(parse(&Command::new("1", found)), Err(refused));
        }
        for (body, content_type) in [("", "application/json"), ("300", "application/json"), ("", "application/msgpack")]
        {
            let failed = parse(&Command::new(body, content_type));
            assert!(matches!(failed, Err(CommandParseError::DeserializationFailed { .. })), "{body:?}: {failed:?}");
        }
        // Whoever wants the bytes has them, whatever they are.
        let raw = Command::new(vec![0xff], "image/png").with_schema("urn:s");
        assert_eq!(Command::from_command(&raw), Ok(raw.clone()));
        assert_eq!((raw.body(), raw.schema()), (Some(&[0xff][..]), Some("urn:s")));
    }
}

//! Requests: a command on its way to a state change, with what belongs to the call.

use super::command::Command;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::number::Revision;
use crate::vocabulary::payload::{Codec, Payload, PayloadError};
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// A call of a state change: the command, headers, and how it is to be carried out.
///
/// ```
/// use serde_json::json;
/// use stratalog::{Revision, StateChangeRequest};
///
/// # fn main() -> stratalog::Result<()> {
/// let request = StateChangeRequest::new()
///     .json(&json!({ "account": "acc-42", "cents": 500 }))?
///     .header("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
///     .transaction_id("deposit-7") // a repeat is harmless
///     .last_seen(Revision::new(12)) // waits until the database is there
///     .retries(10); // decides again when another appender was faster
/// assert_eq!(request.command().content_type(), "application/json");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct StateChangeRequest {
    headers: Vec<(Arc<str>, Arc<str>)>,
    body: Option<Bytes>,
    content_type: Option<Arc<str>>,
    schema: Option<Arc<str>>,
    pub(super) last_seen: Revision,
    pub(super) transaction_id: Option<Arc<str>>,
    pub(super) attributes: Attributes,
    pub(super) retries: u32,
    pub(super) timeout: Duration,
}

impl Default for StateChangeRequest {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Command> for StateChangeRequest {
    fn from(command: Command) -> Self {
        let mut request = Self::new();
        request.body = command.body().map(Bytes::copy_from_slice);
        request.content_type = Some(command.content_type()).filter(|said| !said.is_empty()).map(Arc::from);
        request.schema = command.schema().map(Arc::from);
        request
    }
}

impl StateChangeRequest {
    /// A request without a body, decided once.
    pub fn new() -> Self {
        Self {
            headers: Vec::new(),
            body: None,
            content_type: None,
            schema: None,
            last_seen: Revision::EMPTY,
            transaction_id: None,
            attributes: Attributes::new(),
            retries: 0,
            timeout: Duration::from_secs(30),
        }
    }

    /// Adds a header. Order and repeats are kept; case does not count when one is looked up.
    pub fn header(mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body, as bytes. Without a content type, from here or a header, it counts as `application/json`.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The body, in JSON.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, PayloadError> {
        self.encoded(Codec::Json, value)
    }

    /// The body, in MessagePack.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written.
    pub fn message_pack<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, PayloadError> {
        self.encoded(Codec::MessagePack, value)
    }

    fn encoded<T: Serialize + ?Sized>(mut self, codec: Codec, value: &T) -> Result<Self, PayloadError> {
        let payload = Payload::encode(codec, value)?;
        self.content_type = payload.as_ref().content_type().map(Arc::from);
        self.body = Some(payload.bytes);
        Ok(self)
    }

    /// Says what the body is. Goes before a `Content-Type` header.
    pub fn content_type(mut self, content_type: impl Into<Arc<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Names the body's schema by its URI.
    pub fn schema(mut self, schema: impl Into<Arc<str>>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// The revision that whoever asks has seen: the database is waited for until it is there. By itself it adds no condition.
    pub fn last_seen(mut self, revision: Revision) -> Self {
        self.last_seen = revision;
        self
    }

    /// An id for the transaction, up to 255 bytes, which makes a repeat of the request harmless: the same id with the same
    /// command returns the first result and decides nothing; with another command it is refused.
    pub fn transaction_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.transaction_id = Some(id.into());
        self
    }

    /// Sets an attribute of the transaction, such as a correlation id or a principal.
    pub fn attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// How often it is decided again, on the newer database, when a condition does not hold any more. Default: not at all.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long the last seen revision is waited for. Default: 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The headers, in order.
    #[must_use]
    pub fn headers(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.headers
    }

    /// The command as the state change gets it. Its content type is the one set here, else that of the first `Content-Type`
    /// header, else `application/json` if there is a body.
    #[must_use]
    pub fn command(&self) -> Command {
        let named = || self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = self
            .content_type
            .clone()
            .or_else(|| named().map(|(_, value)| Arc::clone(value)))
            .unwrap_or_else(|| Arc::from(if self.body.is_some() { "application/json" } else { "" }));
        Command::from_parts(self.body.clone(), content_type, self.schema.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_is_the_fields_then_the_headers_then_json() {
        let content_type = |request: &StateChangeRequest| request.command().content_type().to_owned();
        let bare = StateChangeRequest::new().body("1");
        assert_eq!(content_type(&StateChangeRequest::new()), "");
        assert_eq!(content_type(&bare), "application/json");
        let said = bare.header("X-Other", "a").header("CONTENT-type", "text/csv").header("content-type", "text/html");
        assert_eq!(content_type(&said), "text/csv");
        assert_eq!(content_type(&said.clone().content_type("application/xml")), "application/xml");
        let names: Vec<&str> = said.headers().iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["X-Other", "CONTENT-type", "content-type"]);
        assert_eq!(content_type(&StateChangeRequest::new().message_pack(&1).unwrap()), "application/msgpack");
    }

    #[test]
    fn a_command_goes_into_a_request_and_out_again() {
        for command in [Command::without_body(), Command::json(&1).unwrap().with_schema("urn:s")] {
            assert_eq!(StateChangeRequest::from(command.clone()).command(), command);
        }
    }
}

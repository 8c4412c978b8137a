//! Notices of who wants which groups: from the backplane's group in Redis to the text that relay links get.

use super::msgpack::{Reader, Value};
use super::{names_of, utf8};
use crate::error::Reject;
use crate::wire::json;

/// Somebody's groups, wanted from now on or no more (AWX's `consumer.subscribe` and `consumer.unsubscribe`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    /// The `type` of the message.
    pub kind: &'a str,
    /// The groups, in the sender's order.
    pub groups: Vec<&'a str>,
    /// The channel that wants them.
    pub origin: &'a str,
}

impl Notice<'_> {
    /// The text frame's payload: keys in AWX's order, as Python's `json.dumps` writes it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let groups: Vec<String> = self.groups.iter().map(|group| format!("\"{}\"", json::escape(group))).collect();
        let (kind, origin) = (json::escape(self.kind), json::escape(self.origin));
        format!(r#"{{"type": "{kind}", "groups": [{}], "origin_channel": "{origin}"}}"#, groups.join(", "))
    }
}

/// Whether messages of this type are notices.
#[must_use]
pub fn is_notice(kind: &str) -> bool {
    matches!(kind, "consumer.subscribe" | "consumer.unsubscribe")
}

/// Reads a message of such a type: an entry less its random prefix.
///
/// # Errors
///
/// `Malformed` when it has no groups or no origin.
pub fn decode_notice(body: &[u8]) -> Result<Notice<'_>, Reject> {
    let mut reader = Reader::new(body);
    let (mut kind, mut groups, mut origin) = (None, None, None);
    for _ in 0..reader.map()? {
        match (reader.value()?, reader.value()?) {
            (Value::Str(b"type"), Value::Str(value)) => kind = Some(utf8(value)?),
            (Value::Str(b"groups"), Value::Array { count, items }) => groups = Some(names_of(count, items)?),
            (Value::Str(b"origin_channel"), Value::Str(value)) => origin = Some(utf8(value)?),
            _ => {}
        }
    }
    match (kind, groups, origin) {
        (Some(kind), Some(groups), Some(origin)) => Ok(Notice { kind, groups, origin }),
        _ => Err(Reject::Malformed),
    }
}

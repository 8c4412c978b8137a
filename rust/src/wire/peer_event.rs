//! What a node of the relay era sends to the server it dialled: `{"group": G, "message": {"type": T, "text": TEXT}}`;
//! and what producers of the broadcast era send for all nodes: `{"group": G, "message": TEXT}`.

use std::borrow::Cow;

use serde::Deserialize;

use crate::error::Reject;

/// AWX's group of metrics, which are no events.
pub const METRICS_GROUP: &str = "metrics";
/// The type of all messages that nodes pass on.
pub const EVENT_TYPE: &str = "internal.message";
const MAX_GROUP: usize = 99;

/// A frame that is not the wire's; the connection it came on is to be closed with 1007.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What one frame of a peer brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEvent<'a> {
    /// Whose event it is.
    pub group: Cow<'a, str>,
    /// The text that subscribers get.
    pub text: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct EventCopy<'a> {
    #[serde(borrow)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// Reads frames up to the first that is malformed; whether there is one.
#[must_use]
pub fn decode_all<'a>(payloads: &[&'a [u8]], backplane: &str) -> (Vec<Result<PeerEvent<'a>, Reject>>, bool) {
    let mut events = Vec::with_capacity(payloads.len());
    for payload in payloads {
        match decode(payload, backplane) {
            Ok(event) => events.push(event),
            Err(Malformed) => return (events, true),
        }
    }
    (events, false)
}

/// Reads a text frame. `backplane`: the group that copies of all events go to.
///
/// # Errors
///
/// `Malformed`. The inner error: why a frame of the wire's is not let through.
pub fn decode<'a>(payload: &'a [u8], backplane: &str) -> Result<Result<PeerEvent<'a>, Reject>, Malformed> {
    let frame: Frame<'a> = serde_json::from_slice(payload).map_err(|_| Malformed)?;
    if frame.message.kind != EVENT_TYPE {
        return Ok(Err(Reject::UnknownType));
    }
    let text = frame.message.text.ok_or(Malformed)?;
    if !may_be_named(&frame.group, backplane) {
        return Ok(Err(Reject::Group));
    }
    Ok(Ok(PeerEvent { group: frame.group, text }))
}

/// Reads the text of a copy that a producer of the broadcast era sent to the group `backplane` (`wrap_broadcast_msg`).
///
/// # Errors
///
/// `Malformed`, or `Group`.
pub fn decode_copy<'a>(text: &'a str, backplane: &str) -> Result<PeerEvent<'a>, Reject> {
    let copy: EventCopy<'a> = serde_json::from_str(text).map_err(|_| Reject::Malformed)?;
    if !may_be_named(&copy.group, backplane) {
        return Err(Reject::Group);
    }
    Ok(PeerEvent { group: copy.group, text: copy.message })
}

/// Whether a peer's event may be of this group: one that Channels takes, and not the one that copies of all go to.
#[must_use]
pub fn may_be_named(group: &str, backplane: &str) -> bool {
    group != backplane && is_group(group)
}

/// Whether Channels takes it for a group's name.
fn is_group(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_GROUP).contains(&name.len()) && name.bytes().all(fits)
}

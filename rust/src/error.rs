//! What can be wrong with an entry of the queue, as a value: bad input is an outcome here, never a panic.

/// Why an entry was not an event; `name` is the label of the counter `rejected{reason}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reject {
    /// It is longer than `max_event_size`.
    TooLarge,
    /// Shorter than the random prefix, not as the serializer writes, truncated, nested too deeply, or not a map with
    /// text keys.
    Malformed,
    /// The map has no `type`, or it is not text.
    NoType,
    /// A `type` that is not delivered here.
    UnknownType,
    /// No `text`, or it is not text.
    NoText,
    /// `text` is not UTF-8.
    NotUtf8,
    /// No `__asgi_channel__`, or neither a name nor a list of names.
    NoChannel,
    /// From a peer: a group that no group can be called, or the backplane's own, which would go in circles.
    Group,
    /// The layer is encrypted, and no key reads it; or it is too old, or from the future.
    Undecryptable,
}

impl Reject {
    /// Every reason, in the order of `index`.
    pub const ALL: [Reject; 9] = [
        Reject::TooLarge,
        Reject::Malformed,
        Reject::NoType,
        Reject::UnknownType,
        Reject::NoText,
        Reject::NotUtf8,
        Reject::NoChannel,
        Reject::Group,
        Reject::Undecryptable,
    ];

    /// The reason as metrics and the ledger name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reject::TooLarge => "too_large",
            Reject::Malformed => "malformed",
            Reject::NoType => "no_type",
            Reject::UnknownType => "unknown_type",
            Reject::NoText => "no_text",
            Reject::NotUtf8 => "not_utf8",
            Reject::NoChannel => "no_channel",
            Reject::Group => "group",
            Reject::Undecryptable => "undecryptable",
        }
    }

    /// The position in `ALL`.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

//! What a client can do wrong, and the close code for it.

/// Why a connection must be failed (RFC 6455 section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// 1002, 1007 or 1009.
    pub code: u16,
    /// One lower-case phrase for the log.
    pub reason: &'static str,
}

/// A byte in the decoder; [`Failure`] is what others see.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    ReservedBits,
    ReservedOpcode,
    Unmasked,
    FragmentedControl,
    LongControl,
    LongLengthForm,
    HugeLength,
    StrayContinuation,
    UnfinishedMessage,
    Fragments,
    ShortClose,
    CloseCode,
    CloseReason,
    Text,
    FrameSize,
    MessageSize,
}

impl Fault {
    pub(super) fn failure(self) -> Failure {
        let (code, reason) = match self {
            Fault::ReservedBits => (1002, "reserved bits"),
            Fault::ReservedOpcode => (1002, "reserved opcode"),
            Fault::Unmasked => (1002, "unmasked frame"),
            Fault::FragmentedControl => (1002, "fragmented control frame"),
            Fault::LongControl => (1002, "control frame too long"),
            Fault::LongLengthForm => (1002, "length not in its shortest form"),
            Fault::HugeLength => (1002, "length of 64 bits"),
            Fault::StrayContinuation => (1002, "continuation of nothing"),
            Fault::UnfinishedMessage => (1002, "new message inside a message"),
            Fault::Fragments => (1009, "message in too many empty fragments"),
            Fault::ShortClose => (1002, "close code of one byte"),
            Fault::CloseCode => (1002, "invalid close code"),
            Fault::CloseReason => (1007, "close reason is not utf-8"),
            Fault::Text => (1007, "text is not utf-8"),
            Fault::FrameSize => (1009, "frame too big"),
            Fault::MessageSize => (1009, "message too big"),
        };
        Failure { code, reason }
    }
}

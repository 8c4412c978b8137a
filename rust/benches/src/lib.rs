//! The pieces of work that criterion times and `counted` counts.

pub mod audience;
#[path = "../../tests/browser/mod.rs"]
mod browser;
pub mod bytes;
pub mod fanout;
pub mod requests;
pub mod sinks;
mod yardstick;

/// Does one run of it; made ready beforehand.
pub type Work = Box<dyn FnMut()>;

/// A piece of work.
pub struct Workload {
    /// As the baseline names it.
    pub name: &'static str,
    /// Bytes that one run handles: what comes in, or what every client together gets.
    pub bytes: usize,
    /// Runs that are enough to count by.
    pub runs: u32,
    /// Makes ready what is to be measured.
    pub make: fn() -> Work,
}

/// All of them; the last is the yardstick.
pub const ALL: [Workload; 14] = [
    Workload { name: "secret_verify", bytes: 88, runs: 200, make: bytes::secret_verify },
    Workload { name: "nonce", bytes: 32, runs: 2000, make: bytes::nonce },
    Workload { name: "envelope", bytes: bytes::TEXT_BYTES, runs: 2000, make: bytes::envelope },
    Workload { name: "encrypted_entry", bytes: bytes::TEXT_BYTES, runs: 200, make: bytes::encrypted_entry },
    Workload { name: "json_entry", bytes: bytes::TEXT_BYTES, runs: 500, make: bytes::json_entry },
    Workload { name: "pushed_message", bytes: bytes::TEXT_BYTES, runs: 2000, make: bytes::pushed_message },
    Workload { name: "frame_encode", bytes: bytes::TEXT_BYTES, runs: 2000, make: bytes::frame_encode },
    Workload { name: "frame_decode", bytes: bytes::COMMAND_BYTES, runs: 2000, make: bytes::frame_decode },
    Workload { name: "outbox", bytes: fanout::BATCH_BYTES, runs: 2000, make: fanout::outbox },
    Workload { name: "publish_batch[1]", bytes: fanout::BATCH_BYTES, runs: 100, make: || fanout::publish(1) },
    Workload { name: "publish_batch[100]", bytes: 100 * fanout::BATCH_BYTES, runs: 20, make: || fanout::publish(100) },
    Workload {
        name: "publish_batch[1000]",
        bytes: 1000 * fanout::BATCH_BYTES,
        runs: 4,
        make: || fanout::publish(1000),
    },
    Workload { name: "subscription_change", bytes: fanout::REPLY_BYTES, runs: 500, make: fanout::subscription_change },
    yardstick::WORKLOAD,
];

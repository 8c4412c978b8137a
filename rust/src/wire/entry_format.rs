//! How the entries of a queue are written: what stands before them, by which serializer, and whether encrypted.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::error::Reject;
use crate::wire::fernet::{Keys, Refusal};
use crate::wire::json_entry;

/// How `channels_redis` writes messages, unless an application has a way of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serializer {
    /// Binary, and the default.
    Msgpack,
    /// JSON as Python writes it.
    Json,
}

/// All that both ends of a channel layer must agree on: nothing in the bytes says it.
pub struct EntryFormat {
    prefix_length: usize,
    serializer: Serializer,
    ttl: Option<u64>,
    keys: RwLock<Keys>,
    refused: [AtomicU64; Refusal::ALL.len()],
}

impl fmt::Debug for EntryFormat {
    /// Its keys are left out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = formatter.debug_struct("EntryFormat");
        told.field("prefix_length", &self.prefix_length).field("serializer", &self.serializer).finish_non_exhaustive()
    }
}

/// An entry without its prefix, decrypted.
#[derive(Debug)]
pub struct Opened<'a>(Bytes<'a>);

/// Small, since most of a batch stands as it came, and takes no memory of its own.
#[derive(Debug)]
enum Bytes<'a> {
    Plain(&'a [u8]),
    Made(Box<Made<'a>>),
}

#[derive(Debug)]
struct Made<'a> {
    body: Cow<'a, [u8]>,
    /// In msgpack, if the body is not.
    packed: Option<Vec<u8>>,
}

impl Opened<'_> {
    /// The message as its serializer wrote it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.0 {
            Bytes::Plain(body) => body,
            Bytes::Made(made) => &made.body,
        }
    }

    /// The message in msgpack, for `envelope::decode`; of one in JSON only what that looks at.
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        match &self.0 {
            Bytes::Plain(body) => body,
            Bytes::Made(made) => made.packed.as_deref().unwrap_or(&made.body),
        }
    }
}

impl EntryFormat {
    /// `prefix_length`: random bytes before an entry. Without keys nothing is encrypted. `ttl`: seconds that encrypted
    /// entries last; `None`: for ever.
    #[must_use]
    pub fn new(prefix_length: usize, serializer: Serializer, keys: Keys, ttl: Option<u64>) -> Self {
        Self { prefix_length, serializer, ttl, keys: RwLock::new(keys), refused: Default::default() }
    }

    /// That of a layer in msgpack without encryption.
    #[must_use]
    pub fn plain(prefix_length: usize) -> Self {
        Self::new(prefix_length, Serializer::Msgpack, Keys::default(), None)
    }

    /// By which serializer messages are written.
    #[must_use]
    pub fn serializer(&self) -> Serializer {
        self.serializer
    }

    /// How many random bytes stand before an entry.
    #[must_use]
    pub fn prefix_length(&self) -> usize {
        self.prefix_length
    }

    /// Whether entries are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        !self.keys.read().is_empty()
    }

    /// From now on these keys count.
    pub fn accept_keys(&self, keys: Keys) {
        *self.keys.write() = keys;
    }

    /// How many entries could not be decrypted, in the order of `Refusal::ALL`.
    #[must_use]
    pub fn refused(&self) -> [u64; Refusal::ALL.len()] {
        Refusal::ALL.map(|reason| self.refused[reason as usize].load(Ordering::Relaxed))
    }

    /// Takes the prefix and the encryption off. `now` in Unix seconds.
    ///
    /// # Errors
    ///
    /// `Malformed`, or `Undecryptable`, which is counted.
    pub fn open<'a>(&self, entry: &'a [u8], now: u64) -> Result<Opened<'a>, Reject> {
        let bytes = entry.get(self.prefix_length..).ok_or(Reject::Malformed)?;
        let keys = self.keys.read();
        if keys.is_empty() && self.serializer == Serializer::Msgpack {
            return Ok(Opened(Bytes::Plain(bytes)));
        }
        let body = if keys.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(self.decrypt(&keys, bytes, now)?) };
        let packed = match self.serializer {
            Serializer::Msgpack => None,
            Serializer::Json => Some(json_entry::to_msgpack(&body)?),
        };
        Ok(Opened(Bytes::Made(Box::new(Made { body, packed }))))
    }

    fn decrypt(&self, keys: &Keys, token: &[u8], now: u64) -> Result<Vec<u8>, Reject> {
        keys.open(token, now, self.ttl).map_err(|reason| {
            self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
            Reject::Undecryptable
        })
    }

    /// An entry of a serialized message, written at `now` (Unix seconds).
    #[must_use]
    pub fn seal(&self, body: &[u8], now: u64, random: &Random<'_>) -> Vec<u8> {
        let keys = self.keys.read();
        let token = if keys.is_empty() { Cow::Borrowed(body) } else { Cow::Owned(keys.seal(body, now, random.iv)) };
        [random.prefix, &token].concat()
    }
}

/// Bytes that nobody can foretell, for one entry.
pub struct Random<'a> {
    /// As many as the format has before an entry.
    pub prefix: &'a [u8],
    /// Where the encryption begins.
    pub iv: [u8; 16],
}

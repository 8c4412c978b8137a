//! How old a `secret` header may be, and which were seen before. Time is an argument, in whole seconds: `now` of Unix,
//! which may step, and `steady` of a clock that only goes forward.

use std::collections::BTreeMap;

use crate::hmac::Digest;

/// Bytes of one header in a record: nonce, digest, steady time.
const RECORD: usize = 8 + 32 + 8;

/// The nonces that are valid now, and the headers among them that were accepted already.
pub struct Nonces {
    tolerance: i128,
    remember: usize,
    /// By nonce, so that what is stale, and what will be next, comes first; with the steady time of each. A nonce out of
    /// range is as good as the nearest in it: the digest tells it apart.
    seen: BTreeMap<(i64, Digest), i64>,
}

impl Nonces {
    /// `tolerance` is in seconds, both ways, inclusive (AWX: 300); `remember` bounds the memory, in headers.
    #[must_use]
    pub fn new(tolerance: u64, remember: usize) -> Self {
        Self { tolerance: tolerance.into(), remember, seen: BTreeMap::new() }
    }

    /// Whether a header with this nonce is fresh at `now`.
    #[must_use]
    pub fn admits(&self, nonce: i128, now: i64) -> bool {
        (nonce - i128::from(now)).abs() <= self.tolerance
    }

    /// Remembers an accepted header; true if it was remembered before.
    ///
    /// The digest stands for the header: it covers the nonce, and a replay in the other of the two forms has the same.
    /// What is stale at `now` is forgotten when no step back of the clock can make it fresh: after the whole window. So
    /// is, beyond the bound, what will be stale first.
    pub fn repeats(&mut self, nonce: i128, digest: Digest, now: i64, steady: i64) -> bool {
        let (oldest, window) = (i128::from(now) - self.tolerance, 2 * self.tolerance);
        let is_past =
            |nonce: i64, seen: i64| i128::from(nonce) < oldest && i128::from(steady) - i128::from(seen) > window;
        while self.seen.first_key_value().is_some_and(|(&(nonce, _), &seen)| is_past(nonce, seen)) {
            self.seen.pop_first();
        }
        let nearest = i64::try_from(nonce).unwrap_or(if nonce < 0 { i64::MIN } else { i64::MAX });
        let is_new = self.seen.insert((nearest, digest), steady).is_none();
        if self.seen.len() > self.remember {
            self.seen.pop_first();
        }
        !is_new
    }

    /// The headers that are remembered, for another process.
    #[must_use]
    pub fn freeze(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.seen.len() * RECORD);
        for (&(nonce, digest), &seen) in &self.seen {
            bytes.extend_from_slice(&nonce.to_le_bytes());
            bytes.extend_from_slice(&digest);
            bytes.extend_from_slice(&seen.to_le_bytes());
        }
        bytes
    }

    /// Remembers what `freeze` gave in another process; what is no record of it is left out.
    pub fn inherit(&mut self, bytes: &[u8]) {
        for record in bytes.chunks_exact(RECORD) {
            let (nonce, rest) = record.split_at(8);
            let (digest, seen) = rest.split_at(32);
            if let (Ok(nonce), Ok(digest), Ok(seen)) = (nonce.try_into(), digest.try_into(), seen.try_into()) {
                self.seen.insert((i64::from_le_bytes(nonce), digest), i64::from_le_bytes(seen));
            }
        }
        while self.seen.len() > self.remember {
            self.seen.pop_first();
        }
    }

    /// How many headers are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.seen.len()
    }
}

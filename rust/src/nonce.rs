//! How old a `secret` header may be, and which were seen before. Time is an argument, in whole Unix seconds.

use std::collections::BTreeSet;

use crate::hmac::Digest;

/// The nonces that are valid now, and the headers among them that were accepted already.
pub struct Nonces {
    tolerance: i128,
    remember: usize,
    /// By nonce, so that what is stale, and what will be next, comes first.
    seen: BTreeSet<(i128, Digest)>,
}

impl Nonces {
    /// `tolerance` is in seconds, both ways, inclusive (AWX: 300); `remember` bounds the memory, in headers.
    #[must_use]
    pub fn new(tolerance: u64, remember: usize) -> Self {
        Self { tolerance: tolerance.into(), remember, seen: BTreeSet::new() }
    }

    /// Whether a header with this nonce is fresh at `now`.
    #[must_use]
    pub fn admits(&self, nonce: i128, now: i64) -> bool {
        (nonce - i128::from(now)).abs() <= self.tolerance
    }

    /// Remembers an accepted header; true if it was remembered before.
    ///
    /// The digest stands for the header: it covers the nonce, and a replay in the other of the two forms has the same.
    /// What is stale at `now` is forgotten, and so is, beyond the bound, what will be stale first.
    pub fn repeats(&mut self, nonce: i128, digest: Digest, now: i64) -> bool {
        let oldest = i128::from(now) - self.tolerance;
        while self.seen.first().is_some_and(|(nonce, _)| *nonce < oldest) {
            self.seen.pop_first();
        }
        let is_new = self.seen.insert((nonce, digest));
        if self.seen.len() > self.remember {
            self.seen.pop_first();
        }
        !is_new
    }

    /// How many headers are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.seen.len()
    }
}

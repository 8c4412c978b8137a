//! The nodes' shared secret: signs and checks the value of the `secret` header, as AWX does between its nodes.
//!
//! The digest is HMAC-SHA256, keyed with the secret, over what Python's `json.dumps({"secret": S, "nonce": N})` gives.
//! No secret is kept as text, and nothing here has `Debug`: what can't be printed can't reach a log. That goes for
//! digests too, since a header is as good as the secret while its nonce is fresh.

use ::hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::wire::json;

const ALGORITHM: &str = "HMAC-SHA256 ";
const MAX_NONCE_DIGITS: usize = 20;
const NOBODY: u64 = u64::MAX;

/// What HMAC-SHA256 makes of a message.
pub type Digest = [u8; 32];

/// The header's value in the form that AWX sends: `HMAC-SHA256 <nonce>:<hexdigest>`; `nonce` in Unix seconds.
#[must_use]
pub fn sign(secret: &str, nonce: u64) -> String {
    let nonce = nonce.to_string();
    let digest = Key::new(secret).digest(&nonce);
    format!("{ALGORITHM}{nonce}:{}", to_hex(&digest))
}

/// A well-formed header taken apart; whether it is anyone's is for [`Secrets::signer`] to say.
#[derive(Clone, Copy)]
pub struct Parsed<'a> {
    /// As received, for the digest covers each zero in front.
    pub nonce: &'a str,
    /// The digest that the header claims.
    pub digest: Digest,
}

impl Parsed<'_> {
    /// The nonce in Unix seconds; its twenty digits may be more than 64 bits.
    #[must_use]
    pub fn seconds(&self) -> i128 {
        self.nonce.parse().unwrap_or(i64::MAX.into())
    }
}

/// Takes a header's value apart, `HMAC-SHA256 <nonce>:<hexdigest>` or, as AWX's Channels Overview has it,
/// `<nonce>:<hexdigest>`.
///
/// `None` for all else, and stricter than AWX in the nonce alone: 1 to 20 ASCII digits.
#[must_use]
pub fn parse(header: &[u8]) -> Option<Parsed<'_>> {
    let header = std::str::from_utf8(header).ok()?;
    let (nonce, digest) = header.strip_prefix(ALGORITHM).unwrap_or(header).split_once(':')?;
    let are_digits = nonce.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits || nonce.is_empty() || nonce.len() > MAX_NONCE_DIGITS {
        return None;
    }
    let digest = parse_digest(digest.as_bytes())?;
    Some(Parsed { nonce, digest })
}

/// The secrets of which each is accepted: one, or more while they are changed.
pub struct Secrets {
    keys: Vec<Key>,
}

impl Secrets {
    /// Takes them in the order that [`signer`](Self::signer) counts in. An empty one is nobody's.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let keys = secrets.into_iter().map(|secret| Key::new(secret.as_ref())).collect();
        Self { keys }
    }

    /// Which secret the header was signed with, the first of equal ones; takes the same time whichever it was.
    #[must_use]
    pub fn signer(&self, header: &Parsed<'_>) -> Option<usize> {
        let mut signer = NOBODY;
        for (index, key) in self.keys.iter().enumerate().rev() {
            signer.conditional_assign(&(index as u64), key.has_signed(header));
        }
        usize::try_from(signer).ok().filter(|index| *index < self.keys.len())
    }
}

/// A secret as it is used: an HMAC that has taken all of the message up to the nonce.
struct Key {
    begun: Hmac<Sha256>,
    is_usable: Choice,
}

impl Key {
    fn new(secret: &str) -> Self {
        let mut begun = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
        begun.update(br#"{"secret": ""#);
        begun.update(json::escape(secret).as_bytes());
        begun.update(br#"", "nonce": ""#);
        let is_usable = Choice::from(u8::from(!secret.is_empty()));
        Self { begun, is_usable }
    }

    fn digest(&self, nonce: &str) -> Digest {
        let mut message = self.begun.clone();
        message.update(nonce.as_bytes());
        message.update(br#""}"#);
        message.finalize().into_bytes().into()
    }

    fn has_signed(&self, header: &Parsed<'_>) -> Choice {
        self.digest(header.nonce).ct_eq(&header.digest) & self.is_usable
    }
}

fn to_hex(digest: &Digest) -> String {
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// 64 lower-case hexadecimal digits.
fn parse_digest(hex: &[u8]) -> Option<Digest> {
    let mut digest = Digest::default();
    if hex.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = parse_hex(pair[0])? << 4 | parse_hex(pair[1])?;
    }
    Some(digest)
}

fn parse_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

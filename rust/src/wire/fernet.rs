//! Fernet tokens, in which `channels_redis` encrypts its entries (github.com/fernet/spec, and `cryptography`'s rules).
//!
//! A token is URL-safe base64 of version, seconds, IV, AES-128-CBC with PKCS#7, and HMAC-SHA256 over all before. Nothing
//! is decrypted whose HMAC is not right. Nothing here has `Debug`: what can't be printed can't reach a log.

use ::hmac::{Hmac, Mac};
use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use sha2::{Digest, Sha256};

const VERSION: u8 = 0x80;
/// Version, seconds and IV.
const HEAD: usize = 25;
const BLOCK: usize = 16;
const MAC: usize = 32;
/// Seconds that the clock of whoever encrypted may be ahead, where tokens expire.
const MAX_AHEAD: u64 = 60;

/// Why a token is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Not base64, of a wrong length or of another version.
    NoToken,
    /// Signed with none of the keys.
    WrongKey,
    /// Older than it may be.
    TooOld,
    /// From the future: somebody's clock is wrong.
    TooEarly,
}

impl Refusal {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Refusal; 4] = [Refusal::NoToken, Refusal::WrongKey, Refusal::TooOld, Refusal::TooEarly];

    /// The reason as Python hears of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Refusal::NoToken => "no_token",
            Refusal::WrongKey => "wrong_key",
            Refusal::TooOld => "too_old",
            Refusal::TooEarly => "too_early",
        }
    }
}

/// Keys in their order: the first encrypts, each is tried to decrypt.
#[derive(Default)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Makes them as `channels_redis` does, of the SHA-256 of each text.
    #[must_use]
    pub fn new<K: AsRef<[u8]>>(texts: impl IntoIterator<Item = K>) -> Self {
        Self(texts.into_iter().map(|text| Key::new(text.as_ref())).collect())
    }

    /// Whether there are none, so that nothing is encrypted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a token holds. `now` in Unix seconds; `ttl`: how many seconds it lasts, `None`: for ever.
    ///
    /// # Errors
    ///
    /// Why it is not read.
    pub fn open(&self, token: &[u8], now: u64, ttl: Option<u64>) -> Result<Vec<u8>, Refusal> {
        let data = URL_SAFE.decode(token).map_err(|_| Refusal::NoToken)?;
        check_shape(&data)?;
        check_time(&data, now, ttl)?;
        let key = self.0.iter().find(|key| key.has_signed(&data)).ok_or(Refusal::WrongKey)?;
        key.decrypt(data)
    }

    /// A token that holds `body`, encrypted with the first key; empty without one. `iv` is never to be used again.
    #[must_use]
    pub fn seal(&self, body: &[u8], now: u64, iv: [u8; BLOCK]) -> Vec<u8> {
        let Some(key) = self.0.first() else { return Vec::new() };
        URL_SAFE.encode(key.encrypt(body, now, iv)).into_bytes()
    }
}

/// The length of all blocks, and the version.
fn check_shape(data: &[u8]) -> Result<(), Refusal> {
    let blocks = data.len().checked_sub(HEAD + MAC).ok_or(Refusal::NoToken)?;
    if blocks == 0 || blocks % BLOCK != 0 || data[0] != VERSION {
        return Err(Refusal::NoToken);
    }
    Ok(())
}

fn check_time(data: &[u8], now: u64, ttl: Option<u64>) -> Result<(), Refusal> {
    let Some(ttl) = ttl else { return Ok(()) };
    let made = data[1..9].iter().fold(0, |seconds, byte| seconds << 8 | u64::from(*byte));
    if made.saturating_add(ttl) < now {
        Err(Refusal::TooOld)
    } else if now.saturating_add(MAX_AHEAD) < made {
        Err(Refusal::TooEarly)
    } else {
        Ok(())
    }
}

struct Key {
    /// An HMAC that has taken nothing yet.
    signing: Hmac<Sha256>,
    cipher: Aes128,
}

impl Key {
    fn new(text: &[u8]) -> Self {
        let digest = Sha256::digest(text);
        let (signing, encryption) = digest.split_at(BLOCK);
        Self {
            signing: Hmac::new_from_slice(signing).expect("HMAC takes a key of any length"),
            cipher: Aes128::new_from_slice(encryption).expect("half of 32 bytes are the 16 of its key"),
        }
    }

    /// Whether the digest is this key's; takes the same time wherever it differs.
    fn has_signed(&self, data: &[u8]) -> bool {
        let (signed, digest) = data.split_at(data.len() - MAC);
        self.signing.clone().chain_update(signed).verify_slice(digest).is_ok()
    }

    /// In place, of what this key has signed.
    fn decrypt(&self, mut data: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let iv: [u8; BLOCK] = data[HEAD - BLOCK..HEAD].try_into().map_err(|_| Refusal::NoToken)?;
        data.truncate(data.len() - MAC);
        data.drain(..HEAD);
        let decryptor = cbc::Decryptor::<Aes128>::inner_iv_init(self.cipher.clone(), &iv.into());
        let length = decryptor.decrypt_padded::<Pkcs7>(&mut data).map_err(|_| Refusal::WrongKey)?.len();
        data.truncate(length);
        Ok(data)
    }

    fn encrypt(&self, body: &[u8], now: u64, iv: [u8; BLOCK]) -> Vec<u8> {
        let padded = (body.len() / BLOCK + 1) * BLOCK;
        let mut data = Vec::with_capacity(HEAD + padded + MAC);
        data.push(VERSION);
        data.extend_from_slice(&now.to_be_bytes());
        data.extend_from_slice(&iv);
        data.extend_from_slice(body);
        data.resize(HEAD + padded, 0);
        let encryptor = cbc::Encryptor::<Aes128>::inner_iv_init(self.cipher.clone(), &iv.into());
        encryptor.encrypt_padded::<Pkcs7>(&mut data[HEAD..], body.len()).expect("there is room for the padding");
        let digest = self.signing.clone().chain_update(&data).finalize().into_bytes();
        data.extend_from_slice(&digest);
        data
    }
}

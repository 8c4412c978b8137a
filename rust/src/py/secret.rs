//! The node secret for Python.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::hmac::{self, Parsed, Secrets};
use crate::nonce::Nonces;

/// Takes the place of a header that is none, so that its refusal takes as long as any other.
const NO_HEADER: Parsed<'static> = Parsed { nonce: "0000000000", digest: [0; 32] };

/// Verdict, index of the secret or -1, skew in seconds, whether the header is a repeat.
type Outcome = (&'static str, i64, i128, bool);

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sign_secret, module)?)?;
    module.add_class::<SecretVerifier>()
}

#[pyfunction]
fn sign_secret(secret: &str, nonce: u64) -> String {
    hmac::sign(secret, nonce)
}

#[pyclass(module = "awxfast._rust")]
struct SecretVerifier {
    secrets: Secrets,
    nonces: Nonces,
}

#[pymethods]
impl SecretVerifier {
    #[new]
    #[pyo3(signature = (secrets, tolerance = 300, remember = 65_536))]
    fn new(secrets: Vec<String>, tolerance: u64, remember: usize) -> Self {
        Self { secrets: Secrets::new(secrets), nonces: Nonces::new(tolerance, remember) }
    }

    fn accept_secrets(&mut self, secrets: Vec<String>) {
        self.secrets = Secrets::new(secrets);
    }

    fn remember(&mut self, header: &[u8], steady: i64) {
        if let Some(header) = hmac::parse(header)
            && matches!(self.secrets.signer(&header).map(i64::try_from), Some(Ok(_)))
        {
            // Whatever the clock says now: it may step.
            self.nonces.repeats(header.seconds(), header.digest, i64::MIN, steady);
        }
    }

    fn freeze<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.nonces.freeze())
    }

    fn inherit(&mut self, frozen: &[u8]) {
        self.nonces.inherit(frozen);
    }

    #[pyo3(signature = (header, now, steady = None))]
    fn verify(&mut self, header: &[u8], now: i64, steady: Option<i64>) -> Outcome {
        let parsed = hmac::parse(header);
        let header = parsed.unwrap_or(NO_HEADER);
        let signer = self.secrets.signer(&header);
        if parsed.is_none() {
            return ("malformed", -1, 0, false);
        }
        match signer.map(i64::try_from) {
            Some(Ok(index)) => self.check_nonce(&header, index, now, steady.unwrap_or(now)),
            _ => ("digest", -1, 0, false),
        }
    }
}

impl SecretVerifier {
    fn check_nonce(&mut self, header: &Parsed<'_>, index: i64, now: i64, steady: i64) -> Outcome {
        let nonce = header.seconds();
        let skew = nonce - i128::from(now);
        if !self.nonces.admits(nonce, now) {
            return ("nonce", index, skew, false);
        }
        let repeated = self.nonces.repeats(nonce, header.digest, now, steady);
        ("ok", index, skew, repeated)
    }
}

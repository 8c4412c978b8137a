//! Entries of a queue with their scores, if it has such, as a pop's answer has them.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

/// The score of an entry that has none: no time, so that its event has no age.
const NO_TIME: f64 = -1.0;

/// One `[entry, score]` pair of a pop's answer, or one entry alone, of a list.
pub fn take_pair(pair: Bound<'_, PyAny>) -> PyResult<(Bound<'_, PyBytes>, f64)> {
    let pair = match pair.cast_into::<PyBytes>() {
        Ok(entry) => return Ok((entry, NO_TIME)),
        Err(other) => other.into_inner(),
    };
    let pair = pair.cast_into::<PyList>().map_err(|_| PyTypeError::new_err("a pair must be a list"))?;
    let entry = pair.get_item(0)?.cast_into::<PyBytes>()?;
    Ok((entry, take_score(&pair.get_item(1)?)?))
}

/// The entry of such a pair, or of a list.
pub fn take_entry(pair: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyBytes>> {
    match pair.cast_into::<PyBytes>() {
        Ok(entry) => Ok(entry),
        Err(other) => Ok(other.into_inner().get_item(0)?.cast_into::<PyBytes>()?),
    }
}

/// A score as Redis writes it: text in RESP2, a double in RESP3.
fn take_score(score: &Bound<'_, PyAny>) -> PyResult<f64> {
    if let Ok(text) = score.cast::<PyBytes>() {
        let text = std::str::from_utf8(text.as_bytes()).unwrap_or_default();
        return text.parse().map_err(|_| PyValueError::new_err("a score must be a number"));
    }
    if let Ok(text) = score.cast::<PyString>() {
        return text.extract::<String>()?.parse().map_err(|_| PyValueError::new_err("a score must be a number"));
    }
    score.extract()
}

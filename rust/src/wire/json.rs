//! JSON as Python's `json.dumps` writes it, which is what AWX's nodes send each other and what they sign.

/// The inside of a JSON string as Python's `json.dumps` writes it: ASCII only, astral characters in two halves.
#[must_use]
pub fn escape(text: &str) -> String {
    text.encode_utf16().map(escape_unit).collect()
}

fn escape_unit(unit: u16) -> String {
    match u8::try_from(unit) {
        Ok(b'"') => r#"\""#.into(),
        Ok(b'\\') => r"\\".into(),
        Ok(b'\n') => r"\n".into(),
        Ok(b'\r') => r"\r".into(),
        Ok(b'\t') => r"\t".into(),
        Ok(0x08) => r"\b".into(),
        Ok(0x0c) => r"\f".into(),
        Ok(printable @ b' '..=b'~') => char::from(printable).into(),
        _ => format!(r"\u{unit:04x}"),
    }
}

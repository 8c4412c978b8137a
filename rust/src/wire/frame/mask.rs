//! The masks that clients put over what they send (RFC 6455 section 5.3).

/// Puts a mask on, or takes it off. Chunks of a known size become whole registers.
pub(crate) fn apply(bytes: &mut [u8], [a, b, c, d]: [u8; 4]) {
    let mask = [a, b, c, d, a, b, c, d];
    let mut chunks = bytes.chunks_exact_mut(mask.len());
    for chunk in &mut chunks {
        xor(chunk, mask);
    }
    xor(chunks.into_remainder(), mask);
}

fn xor(bytes: &mut [u8], mask: [u8; 8]) {
    for (byte, mask) in bytes.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

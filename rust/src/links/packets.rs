//! Texts for an engine between nodes: those of one group that came together follow each other behind one header.

use std::collections::HashMap;
use std::sync::Arc;

/// Events that one packet may have: what its header can say.
const MOST_EVENTS: u32 = 65_535;
/// The length before each text.
const LENGTH_BYTES: usize = 4;

/// Texts of one group as they stand in a packet, each behind its length.
#[derive(Debug)]
pub struct Texts {
    /// Whose events these are.
    pub group: Arc<str>,
    /// How many texts there are.
    pub count: u32,
    /// Lengths (u32, big endian) and texts.
    pub bytes: Vec<u8>,
}

/// What one batch has for each group, in order. One text alone may be larger than `most_bytes`.
#[derive(Debug)]
pub struct Packets {
    most_bytes: usize,
    texts: Vec<Texts>,
    open: HashMap<Arc<str>, usize>,
}

impl Packets {
    /// None yet; `most_bytes` of texts that may follow one header.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, texts: Vec::new(), open: HashMap::new() }
    }

    /// Appends one event of `group`.
    pub fn add(&mut self, group: &Arc<str>, text: &str) {
        let size = LENGTH_BYTES + text.len();
        let Ok(length) = u32::try_from(text.len()) else { return }; // no entry of Redis is so long
        let index = self.find(group, size);
        let packet = &mut self.texts[index];
        packet.count += 1;
        packet.bytes.extend_from_slice(&length.to_be_bytes());
        packet.bytes.extend_from_slice(text.as_bytes());
    }

    /// All of them; those of one group in order.
    #[must_use]
    pub fn into_texts(self) -> Vec<Texts> {
        self.texts
    }

    /// The one that takes so many bytes more for `group`.
    fn find(&mut self, group: &Arc<str>, size: usize) -> usize {
        if let Some(&index) = self.open.get(group) {
            let packet = &self.texts[index];
            if packet.count < MOST_EVENTS && packet.bytes.len() + size <= self.most_bytes {
                return index;
            }
        }
        self.texts.push(Texts { group: Arc::clone(group), count: 0, bytes: Vec::with_capacity(size) });
        self.open.insert(Arc::clone(group), self.texts.len() - 1);
        self.texts.len() - 1
    }
}

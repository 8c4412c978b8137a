//! Entries of a channel layer: no panic, and what is sealed comes back.
#![no_main]

use awxfast_core::wire::entry_format::{EntryFormat, Random, Serializer};
use awxfast_core::wire::envelope;
use awxfast_core::wire::fernet::Keys;
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_795_561_314;

fuzz_target!(|input: &[u8]| {
    let [prefix_length, data @ ..] = input else { return };
    for serializer in [Serializer::Msgpack, Serializer::Json] {
        let plain = EntryFormat::new(usize::from(*prefix_length), serializer, Keys::default(), None);
        if let Ok(opened) = plain.open(data, NOW) {
            let _ = envelope::decode(opened.packed());
        }
    }
    let encrypted = EntryFormat::new(0, Serializer::Msgpack, Keys::new(["key"]), Some(70));
    assert!(encrypted.open(data, NOW).is_err());
    let entry = encrypted.seal(data, NOW, &Random { prefix: &[], iv: [*prefix_length; 16] });
    assert_eq!(encrypted.open(&entry, NOW).map(|opened| opened.body().to_vec()), Ok(data.to_vec()));
});

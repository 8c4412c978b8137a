//! Frames are found whatever the pieces they come in.

use wsload::frames::{Frame, LOOK, PING, Scanner, TEXT, frame_to_send};

type Seen = Vec<(u8, bool, u64, Vec<u8>)>;

fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(u8::try_from(length).unwrap()),
        length @ 126..=65535 => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

fn scan_in_pieces(bytes: &[u8], piece: usize) -> Seen {
    let (mut scanner, mut seen) = (Scanner::default(), Seen::new());
    for part in bytes.chunks(piece) {
        scanner.scan(part, |Frame { opcode, plain, length, start }| seen.push((opcode, plain, length, start.to_vec())));
    }
    seen
}

#[test]
fn every_length_form_is_found_in_pieces_of_any_size() {
    let payloads: Vec<Vec<u8>> = [0, 1, 125, 126, 127, 1024, 65535, 65536, 3].map(|length| vec![b'a'; length]).into();
    let bytes: Vec<u8> = payloads.iter().flat_map(|payload| server_frame(0x81, payload)).collect();
    let expected: Seen =
        payloads.iter().map(|p| (TEXT, true, p.len() as u64, p[..p.len().min(LOOK)].to_vec())).collect();
    for piece in [1, 2, 3, 7, 126, 127, 130, 135, 4096, bytes.len()] {
        assert_eq!(scan_in_pieces(&bytes, piece), expected, "pieces of {piece}");
    }
}

#[test]
fn control_frame_between_two_texts_is_seen_whole() {
    let bytes = [server_frame(0x81, &[b'x'; 300]), server_frame(0x89, b"ping me"), server_frame(0x81, b"{}")].concat();
    let seen = scan_in_pieces(&bytes, 50);
    assert_eq!(seen[1], (PING, true, 7, b"ping me".to_vec()));
    assert_eq!(seen.len(), 3);
}

#[test]
fn fragments_reserved_bits_and_masks_are_not_plain() {
    for (first, second) in [(0x01, 2), (0xc1, 2), (0x81, 0x82)] {
        assert!(!scan_in_pieces(&[first, second, b'h', b'i'], 4)[0].1);
    }
}

#[test]
fn absurd_length_header_skips_everything_after_it() {
    let mut bytes = vec![0x81, 127];
    bytes.extend(u64::MAX.to_be_bytes());
    bytes.extend([b'a'; 1000]);
    assert_eq!(scan_in_pieces(&bytes, 100).len(), 1);
}

#[test]
fn client_frame_is_masked_in_each_length_form() {
    assert_eq!(frame_to_send(TEXT, b"hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    assert_eq!(frame_to_send(TEXT, &[0; 126])[..8], [0x81, 0xfe, 0, 126, 0, 0, 0, 0]);
    assert_eq!(frame_to_send(TEXT, &vec![0; 65536])[..10], [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
}

//! Properties that hold for whatever is sent.

use super::*;

/// Bytes that requests are made of, and some that they should not be.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        10 => prop::sample::select(vec![
            "GET / HTTP/1.1\r\n", "POST /a?b HTTP/1.1\r\n", "GET / HTTP/1.0\r\n", "Host: a\r\n", "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Connection: upgrade\r\n", "Upgrade: websocket\r\n",
            "\r\n", "abc", "3\r\nabc\r\n", "0\r\n\r\n", "3;a=b\r\n", "0\r\n", "X: y\r\n", "Expect: 100-continue\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "\n", "\r", " ", "\t", ":", ",", "\0",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn pieces_make_no_difference(
        parts in prop::collection::vec(fragments(), 0..12),
        sizes in prop::collection::vec(1usize..40, 1..20),
    ) {
        let data = parts.concat();
        let limits = Limits { head: 120, fields: 4, chunk_line: 8, trailers: 20 };
        let whole = read_with(limits, [&data[..]]);
        prop_assert_eq!(&read_with(limits, data.chunks(1)), &whole);
        let mut rest = &data[..];
        let pieces = sizes.iter().cycle().map_while(|size| {
            let (piece, left) = rest.split_at((*size).min(rest.len()));
            rest = left;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(&read_with(limits, pieces.collect::<Vec<_>>()), &whole);
    }

    #[test]
    fn any_bytes_are_read(data in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&data);
    }

    #[test]
    fn bodies_arrive_as_sent(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..5), size in 1usize..9) {
        let mut sent = Vec::new();
        for (number, body) in bodies.iter().enumerate() {
            if number % 2 == 0 {
                sent.extend_from_slice(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
                sent.extend_from_slice(body);
            } else {
                sent.extend_from_slice(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
                for chunk in body.chunks(size) {
                    sent.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                    sent.extend_from_slice(chunk);
                    sent.extend_from_slice(b"\r\n");
                }
                sent.extend_from_slice(b"0\r\n\r\n");
            }
        }
        let outcome = read_with(LIMITS, sent.chunks(size));
        prop_assert_eq!(outcome.fault, None);
        prop_assert_eq!(outcome.requests.into_iter().map(|request| request.body).collect::<Vec<_>>(), bodies);
    }
}

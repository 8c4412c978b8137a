//! Heads of requests, as they arrive in one read.

use std::hint::black_box;

use awxfast_core::wire::http1::{Event, Limits, Reader};

use crate::Work;

const LIMITS: Limits = Limits { head: 65_536, fields: 500, chunk_line: 4096, trailers: 16_384 };

/// What Chrome sends to open a websocket of AWX's page.
pub const HANDSHAKE: &str = "GET /websocket/ HTTP/1.1\r\n\
    Host: awx.example.org\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://awx.example.org\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Cookie: csrftoken=Zq3vRk0yTt5bW1sXn8uJ4cHd6eFgA2pL; awx_sessionid=m2k9x7q4w1z8y6v3u5t0s\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// A plain request, as wrk sends it.
pub const GET: &str = "GET /api/ HTTP/1.1\r\nHost: 127.0.0.1:8050\r\n\r\n";

/// A browser's handshake, on a connection of its own.
#[must_use]
pub fn handshake_head() -> Work {
    Box::new(|| read_one(&mut Reader::new(LIMITS), HANDSHAKE))
}

/// One of many requests on a connection.
#[must_use]
pub fn get_head() -> Work {
    let mut reader = Reader::new(LIMITS);
    Box::new(move || read_one(&mut reader, GET))
}

fn read_one(reader: &mut Reader, request: &str) {
    let mut data = black_box(request.as_bytes());
    let Event::Head(head) = reader.read(&mut data) else { panic!("no head") };
    black_box(&head);
    assert!(matches!(reader.read(&mut data), Event::End));
}

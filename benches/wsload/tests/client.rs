//! One connection against a server of a few lines.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use wsload::client::{Client, command_to_send, request_to_send};
use wsload::report::Tally;
use wsload::series::Series;

const GOOD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn connect(request: &[u8]) -> (Client, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::connect(listener.local_addr().unwrap(), request, 0).unwrap();
    (client, listener.accept().unwrap().0)
}

fn receive_until(client: &mut Client, tally: &mut Tally, done: impl Fn(&Tally) -> bool) -> std::io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done(tally) && Instant::now() < deadline {
        client.receive(&mut [0; 64], tally)?;
    }
    Ok(())
}

#[test]
fn client_counts_accept_reply_and_events_behind_one_handshake() {
    let (mut client, mut server) = connect(b"GET / HTTP/1.1\r\n\r\n");
    let mut tally = Tally::default();
    server.write_all(GOOD).unwrap();
    let texts = [r#"{"accept": true}"#, r#"{"groups_current": []}"#, r#"{"stream": 0, "seq": 1, "t": 1.5}"#];
    for text in texts {
        server.write_all(&[0x81, u8::try_from(text.len()).unwrap()]).unwrap();
        server.write_all(text.as_bytes()).unwrap();
    }
    receive_until(&mut client, &mut tally, |tally| tally.frames > 0).unwrap();
    assert_eq!((tally.handshakes, tally.accepted, tally.subscribed, tally.frames), (1, 1, 1, 1));
    assert_eq!(client.sequences()[0].lost, 1);
}

#[test]
fn silence_is_between_two_reads_that_bring_events() {
    let (mut client, mut server) = connect(b"");
    let mut tally = Tally { series: Some(Series::new(u64::MAX)), ..Tally::default() };
    server.write_all(GOOD).unwrap();
    for (frames, text) in [(1, "0"), (2, "1")] {
        let text = format!(r#"{{"stream": 0, "seq": {text}, "t": 1.5}}"#);
        server.write_all(&[0x81, u8::try_from(text.len()).unwrap()]).unwrap();
        server.write_all(text.as_bytes()).unwrap();
        receive_until(&mut client, &mut tally, |tally| tally.frames == frames).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let silence = Duration::from_nanos(tally.series.unwrap().silence()[0]);
    assert!(silence >= Duration::from_millis(20) && silence < Duration::from_secs(60), "{silence:?}");
}

#[test]
fn client_answers_a_ping_with_its_payload() {
    let (mut client, mut server) = connect(b"");
    server.write_all(GOOD).unwrap();
    server.write_all(b"\x89\x02hi").unwrap();
    let mut tally = Tally::default();
    receive_until(&mut client, &mut tally, |tally| tally.handshakes > 0).unwrap();
    client.receive(&mut [0; 64], &mut tally).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut pong = [0; 8];
    server.read_exact(&mut pong).unwrap();
    assert_eq!(pong, [0x8a, 0x82, 0, 0, 0, 0, b'h', b'i']);
}

#[test]
fn refused_handshake_is_an_error_with_its_status_line() {
    let (mut client, mut server) = connect(b"");
    server.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
    let outcome = receive_until(&mut client, &mut Tally::default(), |_| false);
    assert_eq!(outcome.unwrap_err().to_string(), "handshake refused: HTTP/1.1 403 Forbidden");
}

#[test]
fn answer_to_another_key_is_refused() {
    let (mut client, mut server) = connect(b"");
    server.write_all(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n").unwrap();
    assert!(receive_until(&mut client, &mut Tally::default(), |_| false).is_err());
}

#[test]
fn request_carries_token_and_csrf_cookie() {
    let request = String::from_utf8(request_to_send("h:1", "/websocket/", Some("T"), None)).unwrap();
    assert!(request.starts_with("GET /websocket/?token=T HTTP/1.1\r\nHost: h:1\r\n"));
    assert!(request.contains("Cookie: csrftoken=relay-bench\r\n"));
}

#[test]
fn request_carries_a_session_beside_it() {
    let request = String::from_utf8(request_to_send("h:1", "/websocket/", None, Some("sessionid=S"))).unwrap();
    assert!(request.contains("Cookie: csrftoken=relay-bench; sessionid=S\r\n"));
}

#[test]
fn command_gathers_values_by_key() {
    let command = command_to_send(&["jobs-status_changed", "job_events-42", "jobs-summary"]);
    let expected =
        r#"{"groups": {"jobs": ["status_changed", "summary"], "job_events": [42]}, "xrftoken": "relay-bench"}"#;
    assert_eq!(String::from_utf8(command).unwrap(), expected);
}

#[test]
fn bare_client_is_accepted_with_its_handshake() {
    let (mut client, mut server) = connect(b"");
    client.set_bare(true);
    server.write_all(GOOD).unwrap();
    let mut tally = Tally::default();
    receive_until(&mut client, &mut tally, |tally| tally.handshakes > 0).unwrap();
    assert_eq!((tally.handshakes, tally.accepted), (1, 1));
}

//! One bundle to many sockets: who gets which frames, in order, and what a socket did not take.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use awxfast_core::links::share::{Bundle, Share, Spare};

fn bundle(frames: &[(&str, &[u8])]) -> Arc<Bundle> {
    let mut bundle = Bundle::new(&Spare::default());
    for (group, bytes) in frames {
        bundle.push((*group).into(), |buffer| buffer.extend_from_slice(bytes));
    }
    Arc::new(bundle)
}

fn read_all(mut socket: &UnixStream, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    socket.read_exact(&mut bytes).expect("all of it is there");
    bytes
}

#[test]
fn share_has_the_frames_of_its_groups_in_order() {
    let bundle = bundle(&[("a", b"one "), ("b", b"two "), ("a", b"three "), ("a", b"four ")]);
    let of_a = Share::of(&bundle, |group| group == "a");
    assert_eq!((of_a.to_vec().as_slice(), of_a.frames, of_a.size), (b"one three four ".as_slice(), 3, 15));
    let of_all = Share::of(&bundle, |_| true);
    assert_eq!((of_all.to_vec().as_slice(), of_all.frames), (b"one two three four ".as_slice(), 4));
    assert_eq!(Share::of(&bundle, |group| group == "c").frames, 0);
}

#[test]
fn every_socket_gets_all_of_it() {
    let share = Share::of(&bundle(&[("a", b"one "), ("b", b"two "), ("a", b"three ")]), |group| group == "a");
    let pairs = [UnixStream::pair().expect("a pair"), UnixStream::pair().expect("a pair")];
    let sockets: Vec<_> = pairs.iter().map(|(ours, _)| ours.as_fd()).collect();
    assert_eq!(share.write(&sockets), [10, 10]);
    for (_, theirs) in &pairs {
        assert_eq!(read_all(theirs, 10), b"one three ");
    }
}

#[test]
fn full_socket_takes_a_part_and_nobody_waits_for_it() {
    let frame = vec![b'x'; 100_000];
    let share = Share::of(&bundle(&vec![("a", frame.as_slice()); 50]), |_| true);
    let (full, far) = UnixStream::pair().expect("a pair");
    let taken = share.write(&[full.as_fd()])[0];
    assert!(0 < taken && taken < share.size);
    assert_eq!(share.write(&[full.as_fd()]), [0]);
    assert_eq!(read_all(&far, taken), &share.to_vec()[..taken]);
}

#[test]
fn socket_whose_far_end_is_gone_takes_nothing() {
    let share = Share::of(&bundle(&[("a", b"one")]), |_| true);
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    drop(theirs);
    assert_eq!(share.write(&[ours.as_fd()]), [0]);
}

#[test]
fn more_pieces_than_one_call_takes_are_left_to_the_next() {
    let frames: Vec<(&str, &[u8])> =
        (0..3000).map(|number| (if number % 2 == 0 { "a" } else { "b" }, b"x".as_slice())).collect();
    let share = Share::of(&bundle(&frames), |group| group == "a");
    let (ours, _theirs) = UnixStream::pair().expect("a pair");
    assert_eq!((share.size, share.write(&[ours.as_fd()])), (1500, vec![1024]));
}

#[test]
fn buffer_is_left_to_the_next_batch_without_its_content() {
    let spare = Spare::default();
    let mut first = Bundle::new(&spare);
    first.push("a".into(), |buffer| buffer.extend_from_slice(&[1; 10_000]));
    drop(first);
    assert!(spare.lock().capacity() >= 10_000);
    let second = Bundle::new(&spare);
    assert!(second.is_empty() && Share::of(&Arc::new(second), |_| true).to_vec().is_empty());
}

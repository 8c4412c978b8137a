//! When readers count as behind: most of those that take anything, for a while, and never a slow client alone.

use std::time::{Duration, Instant};

use awxfast_core::shard::lag::{Lag, Mark, SharedLag};
use awxfast_core::shard::outbox::Bounds;

const BOUNDS: Bounds = Bounds { frames: 1000, bytes: 64 << 20 };
const MILLISECOND: Duration = Duration::from_millis(1);

fn judge(waiting: &[usize]) -> bool {
    let start = Instant::now();
    let mut lag = Lag::new(BOUNDS, start);
    let mut marks = vec![Mark::default(); waiting.len()];
    for (mark, &frames) in marks.iter_mut().zip(waiting) {
        lag.note(mark, frames, 0);
    }
    assert_eq!(lag.judge(start + 5 * MILLISECOND), None, "not before the window is over");
    lag.judge(start + 10 * MILLISECOND).unwrap()
}

#[test]
fn most_readers_past_a_quarter_of_their_bound_are_behind() {
    assert!(judge(&[251, 251, 0]));
    assert!(!judge(&[250, 250, 250]));
    assert!(!judge(&[251, 251, 0, 0]));
}

#[test]
fn bytes_that_are_too_many_to_stay_warm_are_behind_too() {
    let start = Instant::now();
    for (bounds, most) in [(BOUNDS, 512 << 10), (Bounds { bytes: 4000, ..BOUNDS }, 1000)] {
        for (bytes, behind) in [(most, false), (most + 1, true)] {
            let mut lag = Lag::new(bounds, start);
            lag.note(&mut Mark::default(), 1, bytes);
            assert_eq!(lag.judge(start + 10 * MILLISECOND), Some(behind));
        }
    }
}

#[test]
fn slow_client_alone_holds_nobody_back() {
    assert!(!judge(&[999, 0, 0, 0]));
    assert!(!judge(&[]));
}

#[test]
fn client_written_to_often_counts_once() {
    let start = Instant::now();
    let mut lag = Lag::new(BOUNDS, start);
    let (mut slow, mut fast) = (Mark::default(), [Mark::default(); 2]);
    for _ in 0..100 {
        lag.note(&mut slow, 999, 0);
    }
    for mark in &mut fast {
        lag.note(mark, 0, 0);
    }
    assert_eq!(lag.judge(start + 10 * MILLISECOND), Some(false));
}

#[test]
fn each_window_begins_anew() {
    let start = Instant::now();
    let mut lag = Lag::new(BOUNDS, start);
    let mut mark = Mark::default();
    lag.note(&mut mark, 999, 0);
    assert_eq!(lag.judge(start + 10 * MILLISECOND), Some(true));
    lag.note(&mut mark, 0, 0);
    assert_eq!(lag.judge(start + 20 * MILLISECOND), Some(false));
}

#[test]
fn readers_that_have_caught_up_are_waited_for_no_longer() {
    let start = Instant::now();
    let mut lag = Lag::new(BOUNDS, start);
    let mut marks = [Mark::default(); 4];
    for mark in &mut marks {
        lag.note(mark, 999, 0);
    }
    assert_eq!(lag.judge(start + 10 * MILLISECOND), Some(true));
    for mark in &mut marks[..2] {
        lag.note(mark, 0, 0);
    }
    assert_eq!(lag.judge(start + 11 * MILLISECOND), None, "half of them say nothing about the others");
    lag.note(&mut marks[2], 0, 0);
    assert_eq!(lag.judge(start + 12 * MILLISECOND), Some(false));
    lag.note(&mut marks[3], 0, 0);
    assert_eq!(lag.judge(start + 13 * MILLISECOND), None, "it was said");
}

#[test]
fn client_that_catches_up_within_a_window_is_behind_no_longer() {
    let start = Instant::now();
    let mut lag = Lag::new(BOUNDS, start);
    let mut mark = Mark::default();
    for (waiting, behind) in [(999, true), (0, false), (999, true)] {
        lag.note(&mut mark, waiting, 0);
        let mut now = lag.clone();
        assert_eq!(now.judge(start + 10 * MILLISECOND), Some(behind));
    }
}

#[test]
fn being_behind_holds_for_a_while_though_nothing_can_be_written_meanwhile() {
    let start = Instant::now();
    let readers = SharedLag::new(start);
    assert_eq!(readers.behind_for(start), Duration::ZERO);
    readers.set(true, start);
    assert_eq!(readers.behind_for(start + 99 * MILLISECOND), MILLISECOND);
    assert_eq!(readers.behind_for(start + 100 * MILLISECOND), Duration::ZERO);
    readers.set(true, start + 200 * MILLISECOND);
    readers.set(false, start + 210 * MILLISECOND);
    assert_eq!(readers.behind_for(start + 211 * MILLISECOND), Duration::ZERO);
}

#[test]
fn that_readers_have_caught_up_is_said_once() {
    let start = Instant::now();
    let readers = SharedLag::new(start);
    assert!(!readers.set(false, start), "they never were behind");
    assert!(!readers.set(true, start));
    assert!(!readers.set(true, start));
    assert!(readers.set(false, start));
    assert!(!readers.set(false, start));
}

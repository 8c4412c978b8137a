//! Commands reach a shard in order, with the work that they bring; a shard that sleeps is woken by those that are sent.

use std::os::fd::{AsFd, OwnedFd};

use awxfast_core::routing::registry::ClientId;
use awxfast_core::shard::queues::{Answers, CommandQueue, Load, News, NewsQueue};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

fn rings(queue: &impl AsFd) -> bool {
    poll(&mut [PollFd::new(queue, PollFlags::IN)], Some(&NOW)).unwrap() == 1
}

/// Hears each ringing once, as a shard does.
fn listen(queue: &impl AsFd) -> OwnedFd {
    let ear = epoll::create(CreateFlags::CLOEXEC).unwrap();
    epoll::add(&ear, queue, EventData::new_u64(0), EventFlags::IN | EventFlags::ET).unwrap();
    ear
}

fn hears(ear: &OwnedFd) -> bool {
    let mut events = Vec::with_capacity(1);
    epoll::wait(ear, rustix::buffer::spare_capacity(&mut events), Some(&NOW)).unwrap() == 1
}

#[test]
fn load_is_that_of_the_commands_not_yet_taken() {
    let queue = CommandQueue::new().unwrap();
    queue.send(1, Load { bytes: 10, frames: 2 });
    queue.post(2, Load { bytes: 5, frames: 1 });
    assert_eq!(queue.load(), Load { bytes: 15, frames: 3 });
    let mut commands = Vec::new();
    assert_eq!(queue.take(&mut commands), Load { bytes: 15, frames: 3 });
    assert_eq!((commands, queue.load()), (vec![1, 2], Load::default()));
}

#[test]
fn sleeping_shard_is_woken_once() {
    let queue = CommandQueue::new().unwrap();
    let ear = listen(&queue);
    assert!(queue.fall_asleep());
    queue.send(1, Load::default());
    assert!(hears(&ear));
    queue.wake_up();
    queue.send(2, Load::default());
    assert!(!hears(&ear), "it is awake");
}

#[test]
fn shard_that_falls_asleep_again_is_woken_again() {
    let queue = CommandQueue::new().unwrap();
    let ear = listen(&queue);
    for number in 0..3 {
        assert!(queue.fall_asleep());
        queue.send(number, Load::default());
        assert!(hears(&ear));
        queue.wake_up();
        queue.take(&mut Vec::new());
    }
}

#[test]
fn posted_command_wakes_only_when_the_shard_is_rung_for() {
    let queue = CommandQueue::new().unwrap();
    queue.ring_if_waiting();
    assert!(queue.fall_asleep());
    queue.ring_if_waiting();
    assert!(!rings(&queue), "nothing waits");
    queue.post(1, Load::default());
    assert!(!rings(&queue));
    queue.ring_if_waiting();
    assert!(rings(&queue));
}

#[test]
fn shard_does_not_fall_asleep_over_a_command() {
    let queue = CommandQueue::new().unwrap();
    queue.post(1, Load::default());
    assert!(!queue.fall_asleep());
}

#[test]
fn that_a_shard_has_caught_up_is_told_once_to_those_who_wait_for_it() {
    let news = NewsQueue::new().unwrap();
    news.tell_caught_up();
    assert_eq!(news.take(usize::MAX), [], "nobody waits");
    news.await_catching_up();
    news.await_catching_up();
    news.tell_caught_up();
    news.tell_caught_up();
    assert_eq!(news.take(usize::MAX), [(ClientId::NOBODY, News::CaughtUp)]);
}

#[test]
fn bell_of_news_rings_until_the_last_is_taken() {
    let news = NewsQueue::new().unwrap();
    let (first, second) = ((ClientId(1), News::Dead), (ClientId(2), News::Dead));
    for (client, piece) in [first, second] {
        news.send(client, piece);
    }
    assert_eq!(news.take(1), [first]);
    assert!(rings(&news));
    assert_eq!(news.take(1), [second]);
    assert!(!rings(&news));
    news.send(second.0, second.1);
    assert!(rings(&news));
}

#[test]
fn news_are_taken_in_order_part_by_part_while_more_come() {
    let news = NewsQueue::new().unwrap();
    let mut taken = Vec::new();
    for number in 0..1_000 {
        for place in 0..3 {
            news.send(ClientId(3 * number + place), News::Dead);
        }
        taken.extend(news.take(2));
    }
    assert_eq!(news.list().len(), 1_000);
    taken.extend(news.take(usize::MAX));
    assert_eq!(taken, (0..3_000).map(|number| (ClientId(number), News::Dead)).collect::<Vec<_>>());
}

#[test]
fn pongs_are_announced_once_until_they_are_taken() {
    let (answers, client) = (Answers::default(), ClientId(1));
    let frame = [0x8a, 1, 7];
    assert!(answers.add(client, &frame));
    for _ in 0..10_000 {
        assert!(!answers.add(client, &frame));
    }
    assert!(answers.add(ClientId(2), &frame), "another client's are its own");
    assert_eq!(answers.take(client).as_bytes(), frame.repeat(64));
    assert!(answers.add(client, &frame));
}

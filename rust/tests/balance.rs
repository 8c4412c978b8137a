//! Which of several processes accepts: the others are rows of a table, the clock is the test's.

use std::time::Duration;

use awxfast_core::front::balance::{
    AT_ONCE, BATCH, BLOCKED, EVEN_PART, GONE, HELP, LONGEST_WAIT, OVERDUE, PACE, STEP, WAIT, WHOLE,
};
use awxfast_core::front::{Balance, Row};

const MILLISECOND: u64 = 1_000_000;
/// Connections that a turn of a loop accepts at most.
const TURN: u64 = 32;

/// One that is asked, beside two that stand in the table.
struct Process {
    rows: [Row; 3],
    balance: Balance,
    now: u64,
    connections: u64,
}

impl Process {
    fn new(connections: u64) -> Self {
        Process { rows: Default::default(), balance: Balance::new(0, 3), now: 1000 * MILLISECOND, connections }
    }

    /// Another one has so much, and looks now.
    fn tell(&self, number: usize, load: u64) {
        self.rows[number].tell(1, 0, load, self.now);
    }

    /// The same, and it accepts one besides.
    fn tell_accepted(&self, number: usize, load: u64) {
        self.tell(number, load);
        self.rows[number].tell_accepted(load, self.now);
    }

    fn wait_time(&mut self) -> Option<Duration> {
        self.balance.set_load(WHOLE * self.connections);
        self.balance.wait_time(&self.rows, self.now)
    }

    /// Whether the next one is its own now; it has it then.
    fn accepts(&mut self) -> bool {
        let is_own = self.wait_time().is_none();
        if is_own {
            self.balance.note_accepted(self.now);
            self.connections += 1;
        }
        is_own
    }

    /// Whether so many are, one behind the other.
    fn accepts_all(&mut self, count: u64) -> bool {
        (0..count).all(|_| self.accepts())
    }

    /// How many nanoseconds it takes while `others` do something each millisecond.
    fn wait_until_it_accepts(&mut self, others: impl Fn(&Self)) -> u64 {
        let begin = self.now;
        while !self.accepts() {
            self.now += MILLISECOND;
            others(self);
        }
        self.now - begin
    }

    /// How many it accepts in so many nanoseconds of a crowd while `others` do something each millisecond.
    fn accepted_in(&mut self, time: u64, others: impl Fn(&Self)) -> u64 {
        let (begin, before) = (self.now, self.connections);
        while self.now < begin + time {
            let _ = self.accepts_all(TURN);
            self.now += MILLISECOND;
            others(self);
        }
        self.connections - before
    }
}

fn nothing(_: &Process) {}

mod turns {
    use super::*;

    #[test]
    fn alone_it_accepts_all() {
        assert!(Process::new(1000).accepts_all(100));
    }

    #[test]
    fn one_that_has_no_more_than_others_accepts() {
        let mut process = Process::new(5);
        process.tell(1, 5 * WHOLE);
        process.tell(2, 7 * WHOLE);
        assert!(process.accepts());
    }

    #[test]
    fn one_that_has_more_lets_others_go_first() {
        let mut process = Process::new(6);
        process.tell(1, 5 * WHOLE);
        process.tell(2, 9 * WHOLE);
        assert!(!process.accepts());
    }

    #[test]
    fn one_that_has_a_little_more_of_many_does_not() {
        let mut process = Process::new(10 * EVEN_PART);
        process.tell(1, (10 * EVEN_PART - 10) * WHOLE);
        assert!(process.accepts());
        process.now += AT_ONCE;
        assert!(!process.accepts());
    }

    #[test]
    fn a_process_that_does_not_listen_is_not_waited_for() {
        let mut process = Process::new(100);
        process.rows[1].tell(1, 0, 0, 0);
        assert!(process.accepts());
    }

    #[test]
    fn one_without_a_request_counts_less_than_one_with_it() {
        let mut process = Process::new(6);
        process.tell(1, 5 * WHOLE + 1);
        process.tell(2, 6 * WHOLE);
        assert!(!process.accepts());
        process.connections = 5;
        assert!(process.accepts());
    }

    #[test]
    fn each_that_it_accepts_counts_until_it_is_told_anew() {
        let mut process = Process::new(0);
        process.tell(1, 0);
        process.balance.set_load(WHOLE);
        assert_eq!(process.balance.note_accepted(0), 2 * WHOLE);
        assert!(process.balance.wait_time(&process.rows, process.now).is_some());
        process.balance.set_load(0);
        assert!(process.balance.wait_time(&process.rows, process.now).is_none());
    }

    #[test]
    fn it_looks_again_soon_and_not_all_the_time() {
        let mut process = Process::new(1);
        process.tell(1, 0);
        assert_eq!(process.wait_time(), Some(Duration::from_nanos(STEP)));
        process.connections = 1000;
        let wait = process.wait_time().unwrap();
        assert!(Duration::from_nanos(STEP) < wait && wait <= Duration::from_nanos(LONGEST_WAIT / 2));
    }

    #[test]
    fn some_that_come_at_once_are_accepted_together() {
        let mut process = Process::new(0);
        process.tell(1, 0);
        assert!(process.accepts_all(BATCH + 1));
        assert!(!process.accepts());
    }

    #[test]
    fn some_that_come_one_by_one_are_not() {
        let mut process = Process::new(0);
        process.tell(1, 0);
        assert!(process.accepts());
        process.now += AT_ONCE;
        assert!(!process.accepts());
    }
}

mod others_that_do_not_come {
    use super::*;

    #[test]
    fn it_waits_for_the_longer_the_more_it_has() {
        for surplus in [1, 3] {
            let mut process = Process::new(surplus);
            process.tell(1, 0);
            assert_eq!(process.wait_until_it_accepts(nothing), surplus * WAIT);
        }
    }

    #[test]
    fn it_never_waits_for_ever() {
        let mut process = Process::new(10_000);
        process.tell(1, 0);
        assert_eq!(process.wait_until_it_accepts(|process| process.tell(1, 0)), LONGEST_WAIT);
    }

    #[test]
    fn it_waits_anew_when_others_have_accepted() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        for _ in 0..10 {
            assert!(!process.accepts());
            process.now += LONGEST_WAIT - 1;
            process.tell(1, 0);
            assert!(!process.accepts());
            process.rows[1].tell_accepted(0, process.now);
            process.now += 1;
            process.balance.note_nobody();
        }
    }

    #[test]
    fn it_helps_others_that_can_not_keep_up_until_nobody_waits() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        let waited = process.wait_until_it_accepts(|process| process.tell_accepted(1, 0));
        assert!((HELP..=HELP + LONGEST_WAIT).contains(&waited));
        let accepted = process.accepted_in(100 * PACE, |process| process.tell_accepted(1, 0));
        assert!((90..=100).contains(&accepted), "{accepted}");
        process.now += PACE;
        assert!(process.wait_time().is_none()); // nobody is there
        assert!(process.wait_time().unwrap() > Duration::from_nanos(PACE));
    }

    /// They are there, and the machine has little time for them: what waits is theirs.
    #[test]
    fn it_helps_with_one_at_a_time() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        process.wait_until_it_accepts(|process| process.tell_accepted(1, 0));
        assert!(!process.accepts());
        process.now += PACE;
        assert!(process.accepts());
        assert!(!process.accepts());
    }

    /// So many milliseconds: a new worker among those who have browsers would have all newcomers for itself.
    #[test]
    fn it_helps_them_however_late_its_loop_is() {
        for late in [0, 6, 10, 40].map(|late| late * MILLISECOND) {
            let mut process = Process::new(100);
            process.tell(1, 0);
            let begin = process.now;
            while let Some(wait) = process.wait_time() {
                process.now += u64::try_from(wait.as_nanos()).unwrap() + late;
                process.tell_accepted(1, 0);
                assert!(process.now - begin <= HELP + 2 * (LONGEST_WAIT + late));
            }
            assert!(process.now - begin >= HELP);
        }
    }

    /// Who waited at its last look was another's before it was asked, so that nobody told it of an end.
    #[test]
    fn a_crowd_of_long_ago_is_none() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        assert!(!process.accepts());
        process.now += 10 * HELP;
        process.tell_accepted(1, 0);
        assert!(!process.accepts());
    }

    /// Else all of them would take what they get as soon as many come at once.
    #[test]
    fn it_helps_nobody_while_it_has_turns_of_its_own() {
        let mut process = Process::new(0);
        let (begin, mut theirs) = (process.now, 0);
        while process.now < begin + 3 * HELP {
            process.tell(1, theirs * WHOLE);
            process.connections = theirs;
            assert!(process.accepts());
            process.connections = theirs + theirs / 8 + 2;
            process.now += MILLISECOND;
            assert!(!process.accepts());
            process.now += MILLISECOND;
            theirs += 2;
        }
    }

    #[test]
    fn it_helps_no_longer_than_it_has_more() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        process.wait_until_it_accepts(|process| process.tell_accepted(1, 0));
        process.tell(1, 200 * WHOLE);
        assert!(process.accepts());
        process.tell(1, 0);
        process.now += AT_ONCE;
        assert!(!process.accepts());
    }

    #[test]
    fn others_that_keep_up_are_not_helped() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        for _ in 0..100 {
            assert!(!process.accepts());
            process.now += HELP / 10;
            process.tell_accepted(1, 0);
            process.balance.note_nobody();
        }
    }

    #[test]
    fn one_that_does_not_look_is_not_waited_for_as_long_as_others() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        assert_eq!(process.wait_until_it_accepts(nothing), BLOCKED);
        assert!(process.accepts_all(OVERDUE));
        assert_eq!(process.wait_until_it_accepts(nothing), PACE);
    }

    #[test]
    fn one_that_has_been_late_for_long_is_not_waited_for_again() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        process.wait_until_it_accepts(nothing);
        process.now += GONE - BLOCKED;
        assert!(process.accepts_all(100));
    }

    /// It is not always asked when it meant to be: else a busy machine would let nobody in.
    #[test]
    fn it_makes_up_for_some_of_what_it_looks_too_late_by() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        process.wait_until_it_accepts(nothing);
        process.accepts_all(OVERDUE);
        for _ in 0..10 {
            process.now += 30 * PACE;
            assert!(process.accepts_all(1 + OVERDUE));
            assert!(!process.accepts());
        }
    }

    #[test]
    fn time_in_which_nobody_came_counts_for_no_connection() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        process.wait_until_it_accepts(nothing);
        process.now += 30 * PACE;
        assert!(process.wait_time().is_none()); // nobody is there
        process.now += 30 * PACE;
        assert_eq!(process.wait_until_it_accepts(nothing), PACE);
    }

    /// Nothing but that time is waited for, so that looking more often would find nothing else.
    #[test]
    fn it_looks_once_for_each_that_it_leaves_to_one_that_is_late() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        process.wait_until_it_accepts(nothing);
        process.accepts_all(OVERDUE);
        assert_eq!(process.wait_time(), Some(Duration::from_nanos(PACE)));
    }

    /// It may be that the machine has no time for it, and soon has: most of a crowd is left to it.
    #[test]
    fn one_that_is_late_is_waited_for_but_not_for_long() {
        let mut process = Process::new(0);
        process.tell(1, 0);
        let accepted = process.accepted_in(GONE / 2, nothing);
        assert!((150..=250).contains(&accepted), "{accepted}");
    }

    #[test]
    fn one_that_was_late_for_a_moment_is_waited_for() {
        let mut process = Process::new(2);
        process.tell(1, 0);
        assert!(process.wait_until_it_accepts(nothing) < BLOCKED);
        process.now += AT_ONCE;
        assert!(!process.accepts());
    }

    #[test]
    fn one_that_looks_again_is_waited_for() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        process.wait_until_it_accepts(nothing);
        process.now += GONE;
        assert!(process.accepts());
        process.now += AT_ONCE;
        process.tell(1, 0);
        assert!(process.wait_time().unwrap() > Duration::from_nanos(PACE));
    }

    #[test]
    fn others_are_waited_for_all_the_same() {
        let mut process = Process::new(100);
        process.tell(1, 0);
        process.tell(2, 50 * WHOLE);
        process.wait_until_it_accepts(|process| process.tell(2, 50 * WHOLE));
        process.now += GONE;
        assert!(process.wait_time().unwrap() > Duration::from_nanos(PACE));
        process.tell(2, process.connections * WHOLE);
        assert!(process.accepts());
        assert!(process.rows[1].looked_at() < process.rows[2].looked_at());
    }
}

mod crowds {
    use proptest::prelude::*;

    use super::*;

    /// What each connection costs its process, and for how long the machine lets one run.
    const COST: u64 = 400_000;
    const SLICE: u64 = 3 * MILLISECOND;

    /// Several processes that are asked, and those who wait for them.
    struct Crowd {
        rows: Vec<Row>,
        balances: Vec<Balance>,
        counts: Vec<u64>,
        waiting: u64,
    }

    impl Crowd {
        fn new(count: usize, waiting: u64) -> Self {
            let rows: Vec<Row> = (0..count).map(|_| Row::default()).collect();
            for row in &rows {
                row.tell(1, 0, 0, 1000 * MILLISECOND - HELP);
            }
            let balances = (0..count).map(|number| Balance::new(number, count)).collect();
            Crowd { rows, balances, counts: vec![0; count], waiting }
        }

        /// One has some time of the machine's. When it ends, and when that process looks again at the earliest.
        fn turn(&mut self, number: usize, begin: u64) -> (u64, u64) {
            let (row, balance) = (&self.rows[number], &mut self.balances[number]);
            balance.set_load(self.counts[number] * WHOLE);
            row.tell(1, 0, self.counts[number] * WHOLE, begin);
            let mut now = begin;
            for _ in 0..TURN.min(self.waiting) {
                if let Some(time) = balance.wait_time(&self.rows, now) {
                    return (now, now + u64::try_from(time.as_nanos()).unwrap());
                }
                row.tell_accepted(balance.note_accepted(now), now);
                self.counts[number] += 1;
                self.waiting -= 1;
                now += COST;
                if now > begin + SLICE {
                    break;
                }
            }
            (now, now)
        }

        /// Each looks so much later than it could as `delay` says, until nobody waits; how long that takes.
        fn run(&mut self, mut delay: impl FnMut(usize) -> u64) -> u64 {
            let begin = 1000 * MILLISECOND;
            let mut next: Vec<u64> = (0..self.counts.len()).map(|number| begin + delay(number)).collect();
            let mut end = begin;
            while self.waiting > 0 {
                let number = (0..next.len()).min_by_key(|number| next[*number]).unwrap();
                let (now, again) = self.turn(number, next[number]);
                end = end.max(now);
                next[number] = again + STEP / 20 + delay(number);
            }
            end - begin
        }

        /// Within a fifth.
        fn is_even(&self) -> bool {
            let share = self.counts.iter().sum::<u64>() / self.counts.len() as u64;
            self.counts.iter().all(|count| count.abs_diff(share) <= share / 5)
        }
    }

    #[test]
    fn is_spread_evenly() {
        let mut crowd = Crowd::new(4, 1000);
        let time = crowd.run(|_| 0);
        assert!(crowd.is_even() && time < 2 * 250 * COST, "{:?} in {time}", crowd.counts);
    }

    #[test]
    fn so_it_is_where_some_are_not_scheduled_at_first() {
        for late in [30, 100, 300] {
            for number_of_late in 1..4 {
                let mut began = [false; 4];
                let mut crowd = Crowd::new(4, 1000);
                crowd.run(|number| {
                    let is_late = !std::mem::replace(&mut began[number], true) && number < number_of_late;
                    if is_late { late * MILLISECOND } else { 0 }
                });
                assert!(crowd.is_even(), "{:?} {late}", crowd.counts);
            }
        }
    }

    /// Two of four take up the newcomers in a second, and all of them soon after.
    #[test]
    fn nobody_waits_for_long_for_those_that_are_stopped() {
        let mut crowd = Crowd::new(4, 3000);
        let time = crowd.run(|number| if number < 2 { u64::MAX / 2 } else { 0 });
        assert!(time < GONE + 3000 / 2 * COST, "{time}");
        assert_eq!(crowd.counts[..2], [0, 0]);
    }

    proptest! {
        /// So many milliseconds later than it could; the last one of them up to three times as much.
        #[test]
        fn so_it_is_on_a_busy_machine(
            count in 2_usize..=4,
            delays in proptest::collection::vec(0..100_u64, 97),
            times in 1..=3_u64,
        ) {
            let mut delay = delays.iter().cycle().map(|delay| delay * MILLISECOND);
            let mut crowd = Crowd::new(count, 1000);
            crowd.run(|number| delay.next().unwrap() * if number == 0 { times } else { 1 });
            prop_assert!(crowd.is_even(), "{:?}", crowd.counts);
        }
    }
}

mod memory {
    use std::fs::File;
    use std::os::fd::{AsFd, OwnedFd};

    use awxfast_core::front::Rows;
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

    fn table(size: u64, seals: SealFlags) -> OwnedFd {
        let table = memfd_create("table", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&table, size).unwrap();
        fcntl_add_seals(&table, seals).unwrap();
        table
    }

    #[test]
    fn what_one_writes_the_others_see() {
        let table = table(128, SealFlags::SHRINK);
        let (ours, theirs) = (Rows::map(table.as_fd()).unwrap(), Rows::map(table.as_fd()).unwrap());
        drop(table);
        ours.all()[1].tell(7, 2, 8, 9);
        ours.all()[1].tell_accepted(12, 10);
        let row = &theirs.all()[1];
        assert_eq!((theirs.all().len(), row.looked_at(), row.load(), row.accepted()), (2, 10, 12, 1));
    }

    #[test]
    fn what_could_become_shorter_is_no_table() {
        assert!(Rows::map(table(128, SealFlags::GROW).as_fd()).is_err());
        assert!(Rows::map(File::open("/dev/null").unwrap().as_fd()).is_err());
    }

    #[test]
    fn parts_of_rows_are_no_table() {
        for size in [0, 63, 100] {
            assert!(Rows::map(table(size, SealFlags::SHRINK).as_fd()).is_err());
        }
    }
}

//! Which headers are fresh, and which are repeats.

use awxfast_core::hmac::Digest;
use awxfast_core::nonce::Nonces;
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000;

fn digest(number: u8) -> Digest {
    [number; 32]
}

mod window {
    use super::*;

    #[test]
    fn exactly_the_tolerance_is_fresh_both_ways() {
        let nonces = Nonces::new(300, 10);
        for (skew, fresh) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
            assert_eq!(nonces.admits(i128::from(NOW + skew), NOW), fresh, "{skew}");
        }
    }

    #[test]
    fn no_tolerance_admits_this_second_alone() {
        let nonces = Nonces::new(0, 10);
        assert!(nonces.admits(NOW.into(), NOW));
        assert!(!nonces.admits(i128::from(NOW) - 1, NOW));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let nonces = Nonces::new(u64::MAX, 10);
        assert!(nonces.admits(0, NOW));
        assert!(!nonces.admits(99_999_999_999_999_999_999, i64::MIN));
        assert!(!Nonces::new(300, 10).admits(99_999_999_999_999_999_999, i64::MAX));
    }
}

mod repeats {
    use super::*;

    #[test]
    fn second_of_a_header_is_a_repeat() {
        let mut nonces = Nonces::new(300, 10);
        assert!(!nonces.repeats(NOW.into(), digest(1), NOW, NOW));
        assert!(nonces.repeats(NOW.into(), digest(1), NOW + 1, NOW + 1));
        assert!(nonces.repeats(NOW.into(), digest(1), NOW + 300, NOW + 300));
    }

    #[test]
    fn nonces_out_of_range_are_told_apart() {
        let mut nonces = Nonces::new(u64::MAX, 10);
        for nonce in [i128::from(i64::MAX) + 1, i128::from(i64::MAX) + 2] {
            let digest = digest(u8::try_from(nonce - i128::from(i64::MAX)).unwrap());
            assert!(!nonces.repeats(nonce, digest, NOW, NOW));
            assert!(nonces.repeats(nonce, digest, NOW, NOW));
        }
    }

    #[test]
    fn other_secret_in_the_same_second_is_no_repeat() {
        let mut nonces = Nonces::new(300, 10);
        assert!(!nonces.repeats(NOW.into(), digest(1), NOW, NOW));
        assert!(!nonces.repeats(NOW.into(), digest(2), NOW, NOW));
    }

    #[test]
    fn stale_headers_are_forgotten() {
        let mut nonces = Nonces::new(300, 10);
        nonces.repeats(NOW.into(), digest(1), NOW, NOW);
        nonces.repeats(i128::from(NOW) + 300, digest(2), NOW, NOW);
        nonces.repeats(i128::from(NOW) + 601, digest(3), NOW + 601, NOW + 601);
        assert_eq!(nonces.remembered(), 1);
    }

    #[test]
    fn step_of_the_clock_and_back_forgets_nothing() {
        let mut nonces = Nonces::new(300, 10);
        assert!(!nonces.repeats(NOW.into(), digest(1), NOW, 50));
        assert!(!nonces.repeats(i128::from(NOW) + 9_000, digest(2), NOW + 9_000, 51));
        assert!(nonces.repeats(NOW.into(), digest(1), NOW, 52));
        assert!(nonces.repeats(i128::from(NOW) + 9_000, digest(2), NOW + 9_000, 53));
        assert!(!nonces.repeats(i128::from(NOW) - 9_000, digest(3), NOW - 9_000, 54));
        assert!(nonces.repeats(i128::from(NOW) - 9_000, digest(3), NOW - 9_000, 55));
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_forgotten() {
        let mut nonces = Nonces::new(300, 2);
        for (nonce, number) in [(NOW + 1, 1), (NOW, 2), (NOW + 2, 3)] {
            assert!(!nonces.repeats(nonce.into(), digest(number), NOW, NOW));
        }
        assert_eq!(nonces.remembered(), 2);
        assert!(nonces.repeats(i128::from(NOW) + 1, digest(1), NOW, NOW));
        assert!(nonces.repeats(i128::from(NOW) + 2, digest(3), NOW, NOW));
    }

    #[test]
    fn nothing_is_remembered_with_no_room() {
        let mut nonces = Nonces::new(300, 0);
        assert!(!nonces.repeats(NOW.into(), digest(1), NOW, NOW));
        assert!(!nonces.repeats(NOW.into(), digest(1), NOW, NOW));
        assert_eq!(nonces.remembered(), 0);
    }
}

proptest! {
    #[test]
    fn memory_keeps_its_bound_and_agrees_with_a_list(
        remember in 20_usize..30,
        headers in prop::collection::vec((-10_i64..=10, 0_u8..4), 0..20),
    ) {
        let mut nonces = Nonces::new(10, remember);
        let mut seen = Vec::new();
        for header in headers {
            let (skew, number) = header;
            let repeated = nonces.repeats(i128::from(NOW + skew), digest(number), NOW, NOW);
            prop_assert_eq!(repeated, seen.contains(&header));
            seen.push(header);
        }
        prop_assert!(nonces.remembered() <= remember);
    }
}

mod from_one_process_to_the_next {
    use super::*;

    #[test]
    fn what_was_seen_before_is_a_repeat_after() {
        let (mut old, mut new) = (Nonces::new(300, 10), Nonces::new(300, 10));
        for number in 0..5 {
            assert!(!old.repeats((NOW - i64::from(number)).into(), digest(number), NOW, 7));
        }
        new.inherit(&old.freeze());
        assert_eq!(new.remembered(), 5);
        for number in 0..5 {
            assert!(new.repeats((NOW - i64::from(number)).into(), digest(number), NOW, 8));
        }
        assert!(!new.repeats(NOW.into(), digest(9), NOW, 8));
    }

    #[test]
    fn the_bound_is_that_of_the_one_who_inherits() {
        let (mut old, mut new) = (Nonces::new(300, 10), Nonces::new(300, 2));
        for number in 0..5 {
            old.repeats((NOW + i64::from(number)).into(), digest(number), NOW, 7);
        }
        new.inherit(&old.freeze());
        assert_eq!(new.remembered(), 2);
        assert!(new.repeats((NOW + 4).into(), digest(4), NOW, 7));
    }

    #[test]
    fn bytes_that_are_no_record_are_left_out() {
        let mut new = Nonces::new(300, 10);
        new.inherit(&[1; 50]);
        assert_eq!(new.remembered(), 1);
    }
}

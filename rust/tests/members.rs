//! Who is in which group of a shard, and that a crowd that leaves costs its number, not its square.

use awxfast_core::members::Members;

#[test]
fn member_that_leaves_is_gone_and_the_others_stay() {
    let mut members = Members::default();
    assert!(members.of(3).is_empty());
    for slot in 0..5 {
        members.join(3, slot);
    }
    members.join(4, 1);
    members.leave(3, 1);
    members.leave(3, 1);
    members.leave(3, 4);
    let mut left = members.of(3).to_vec();
    left.sort_unstable();
    assert_eq!((left, members.of(4)), (vec![0, 2, 3], [1].as_slice()));
    members.leave(4, 1);
    members.leave(9, 1);
    assert!(members.of(4).is_empty());
}

#[test]
fn crowd_comes_and_goes() {
    let mut members = Members::default();
    // From the end that a search would reach last.
    for slot in 0..300_000 {
        members.join(0, slot);
    }
    for slot in (0..300_000).rev() {
        members.leave(0, slot);
    }
    assert!(members.of(0).is_empty());
}

//! Who is in which group of a shard, and that a crowd that leaves costs its number, not its square.

use std::collections::BTreeSet;

use awxfast_core::shard::members::Members;
use proptest::prelude::*;

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

proptest! {
    #[test]
    fn whoever_comes_and_goes_around_the_size_of_a_crowd_is_in_it_once(
        changes in prop::collection::vec((any::<bool>(), 0_usize..80), 0..400),
    ) {
        let (mut members, mut model) = (Members::default(), BTreeSet::new());
        for slot in 0..60 {
            members.join(0, slot);
            model.insert(slot);
        }
        for (joins, slot) in changes {
            if !joins {
                members.leave(0, slot);
                model.remove(&slot);
            } else if model.insert(slot) {
                members.join(0, slot);
            }
        }
        let mut left = members.of(0).to_vec();
        left.sort_unstable();
        prop_assert_eq!(left, model.into_iter().collect::<Vec<_>>());
    }
}

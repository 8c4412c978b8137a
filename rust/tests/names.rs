//! Names to numbers, as a map would; and no table of theirs grows so large that to move it takes long.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use awxfast_core::routing::names::NumbersByName;
use proptest::prelude::*;

const NAMES: u32 = 100_000;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Watched;

// SAFETY: all is done by the system's allocator; only sizes are looked at.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as of the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn largest_table(name_of: impl Fn(u32) -> String) -> usize {
    let names: Vec<String> = (0..NAMES).map(name_of).collect();
    let mut numbers = NumbersByName::default();
    LARGEST.store(0, Ordering::Relaxed);
    for (number, name) in (0..).zip(&names) {
        numbers.insert(name, number);
    }
    LARGEST.load(Ordering::Relaxed)
}

#[test]
fn no_table_is_more_than_a_small_part_of_all() {
    let all = NAMES as usize * size_of::<(Box<str>, u32)>();
    assert!(largest_table(|number| format!("job_events-{number}")) < all / 8);
    assert!(largest_table(|number| format!("g.{number}-of-a-kind-that-ends-alike")) < all / 8);
}

proptest! {
    #[test]
    fn numbers_are_those_of_a_plain_map(steps in prop::collection::vec(("[a-c]{1,20}", any::<bool>()), 0..200)) {
        let (mut numbers, mut model) = (NumbersByName::default(), HashMap::new());
        for (number, (name, joins)) in (0..).zip(steps) {
            if number % 3 == 0 {
                let expected = *model.entry(name.clone()).or_insert(number);
                prop_assert_eq!(numbers.get_or_insert_with(&name, || number), expected);
            } else if joins {
                prop_assert_eq!(numbers.insert(&name, number), model.insert(name.clone(), number));
            } else {
                prop_assert_eq!(numbers.remove(&name), model.remove(&name));
            }
            prop_assert_eq!(numbers.get(&name), model.get(&name));
        }
    }
}

//! Work that never changes: what instructions are counted in.

use std::hint::black_box;

use crate::{Work, Workload};

const BYTES: usize = 1024;

/// 1 KiB through FNV-1a, byte by byte, which no compiler makes shorter.
pub const WORKLOAD: Workload = Workload { name: "yardstick", bytes: BYTES, runs: 2000, make };

fn make() -> Work {
    let bytes = vec![b'x'; BYTES];
    Box::new(move || {
        let hash = black_box(&bytes).iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            black_box((hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        });
        black_box(hash);
    })
}

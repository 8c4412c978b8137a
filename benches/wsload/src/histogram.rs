//! Latencies in a table of fixed size, at most 1.6 % off.

const SUB_BITS: u32 = 6;
const SUB_BUCKETS: usize = 1 << SUB_BITS;

/// Counts values by their highest seven bits.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    highest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], total: 0, highest: 0 }
    }
}

impl Histogram {
    /// Counts a value in its bucket.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.total += 1;
        self.highest = self.highest.max(value);
    }

    /// How many values were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The highest value, exactly.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// The value below which `per_mille` thousandths of all lie; 0 without values.
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> u64 {
        let wanted = (self.total * per_mille).div_ceil(1000).max(1);
        let mut passed = 0;
        for (index, count) in self.counts.iter().enumerate() {
            passed += count;
            if passed >= wanted {
                return middle(index).min(self.highest);
            }
        }
        self.highest
    }
}

/// Exact below `2 * SUB_BUCKETS`, then `SUB_BUCKETS` buckets for each power of two.
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
    shift as usize * SUB_BUCKETS + usize::try_from(value >> shift).expect("seven bits")
}

fn middle(index: usize) -> u64 {
    let shift = (index / SUB_BUCKETS).saturating_sub(1);
    let lowest = ((index - shift * SUB_BUCKETS) as u64) << shift;
    lowest + ((1_u64 << shift) >> 1)
}

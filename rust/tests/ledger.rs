//! What is counted stays a number, whatever producers write.

use awxfast_core::ledger::Ages;

const NOW: f64 = 1_795_561_314.0;

#[test]
fn score_that_is_no_time_is_counted_apart_and_the_sum_stays_finite() {
    let mut ages = Ages::default();
    for score in [f64::NEG_INFINITY, f64::INFINITY, f64::NAN, -1.7e308, -1.7e308, 1.7e308, -1.0, 0.0, NOW - 86_401.0] {
        ages.add(score, NOW);
    }
    ages.add(NOW - 3.0, NOW);
    assert_eq!((ages.odd, ages.counts.iter().sum::<u64>()), (9, 1));
    assert!((ages.sum - 3.0).abs() < 1e-6, "{}", ages.sum);
}

#[test]
fn clock_that_runs_ahead_counts_as_0() {
    let mut ages = Ages::default();
    ages.add(NOW + 5.0, NOW);
    assert_eq!((ages.counts[0], ages.odd), (1, 0));
    assert!(ages.sum.abs() < f64::EPSILON);
}

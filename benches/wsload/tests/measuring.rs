//! What a run reports: whose event it was, what is missing, how late it came.

use std::time::Duration;

use wsload::arguments::Arguments;
use wsload::event::{Event, read};
use wsload::fanoutlimit;
use wsload::histogram::Histogram;
use wsload::rawlimit::{event_text, pairs, read_all};
use wsload::sequence::Sequence;
use wsload::series::Series;

fn follow(numbers: &[u64]) -> (u64, u64, u64) {
    let mut sequence = Sequence::default();
    for &number in numbers {
        sequence.receive(number);
    }
    (sequence.lost, sequence.reordered, sequence.repeated)
}

#[test]
fn event_is_read_from_the_front_of_its_text() {
    let text = br#"{"stream": 3, "seq": 17, "t": 1795561314.123456789, "stdout": "#;
    assert_eq!(read(text), Some(Event { stream: 3, number: 17, sent: 1_795_561_314_123_456_789 }));
}

#[test]
fn padded_numbers_and_short_fractions_are_read() {
    let sent = |text: &[u8]| read(text).map(|event| (event.number, event.sent));
    assert_eq!(sent(br#"{"stream": 0, "seq":        9, "t": 2.5, "#), Some((9, 2_500_000_000)));
    assert_eq!(sent(br#"{"stream": 0, "seq": 9, "t": 2, "#), Some((9, 2_000_000_000)));
}

#[test]
fn other_texts_are_no_events() {
    let others: [&[u8]; 4] = [b"", br#"{"groups_current": []"#, br#"{"stream": x"#, br#"{"stream": 1, "t": 3"#];
    assert!(others.iter().all(|text| read(text).is_none()));
}

#[test]
fn unbroken_sequence_misses_nothing() {
    assert_eq!(follow(&(0..1000).collect::<Vec<_>>()), (0, 0, 0));
}

#[test]
fn gaps_count_as_lost_also_at_the_start() {
    assert_eq!(follow(&[2, 3, 10]), (8, 0, 0));
    assert_eq!(follow(&[0, 1, 1000]), (998, 0, 0));
}

#[test]
fn late_number_is_reordered_and_not_lost() {
    assert_eq!(follow(&[0, 2, 1, 3]), (0, 1, 0));
    assert_eq!(follow(&[0, 63, 1, 2]), (60, 2, 0));
}

#[test]
fn number_that_comes_twice_is_repeated() {
    assert_eq!(follow(&[0, 1, 1, 0]), (0, 0, 2));
    assert_eq!(follow(&[0, 2, 1, 1]), (0, 1, 1));
}

#[test]
fn quantiles_are_within_two_percent() {
    let mut histogram = Histogram::default();
    (1..=100_000).for_each(|value| histogram.record(value * 1000));
    for (per_mille, expected) in [(500, 50_000_000), (990, 99_000_000), (1000, 100_000_000_u64)] {
        let error = histogram.quantile(per_mille).abs_diff(expected);
        assert!(error <= expected / 50, "{per_mille}: off by {error}");
    }
    assert_eq!(histogram.highest(), 100_000_000);
}

#[test]
fn small_values_are_exact_and_extremes_fit() {
    let mut histogram = Histogram::default();
    assert_eq!(histogram.quantile(500), 0);
    for value in [7, 7, 7, u64::MAX] {
        histogram.record(value);
    }
    assert_eq!((histogram.quantile(500), histogram.highest()), (7, u64::MAX));
}

#[test]
fn series_tells_frames_worst_latency_and_longest_silence_of_each_step() {
    let mut series = Series::new(100);
    for (now, latency, silence) in [(1000, 5, 0), (1099, 9, 99), (1100, 1, 1), (1310, 2, 210)] {
        series.record(now, latency, silence);
    }
    assert_eq!(series.silence(), [99, 1, 0, 210]);
    assert_eq!((series.begin(), series.frames(), series.worst()), (1000, &[2, 1, 0, 1][..], &[9, 1, 0, 2][..]));
}

#[test]
fn series_of_a_run_without_end_stays_bounded() {
    let mut series = Series::new(1);
    series.record(1, 0, 0);
    series.record(u64::MAX, 7, 0);
    assert_eq!(series.worst().iter().max(), Some(&7));
    assert!(series.frames().len() <= 100_000);
}

#[test]
fn limits_take_cores() {
    let words = ["fanoutlimit", "--clients", "2", "--server-core", "0", "--load-core", "1"];
    let arguments = Arguments::parse(words.map(str::to_owned)).unwrap();
    assert_eq!((arguments.server_core, arguments.load_core), (Some(0), Some(1)));
}

#[test]
fn text_of_an_event_has_the_size_asked_for_and_is_read_again() {
    let text = event_text(17, 1024);
    assert_eq!(text.len(), 1024);
    assert_eq!(read(&text).map(|event| (event.stream, event.number)), Some((0, 17)));
}

#[test]
fn fanout_reaches_every_reader_without_loss() {
    let (senders, readers) = pairs(3).unwrap();
    let arguments = Arguments { clients: 3, limit: Duration::from_millis(50), ..Arguments::default() };
    let fanout = fanoutlimit::start(senders).unwrap();
    let (seen, events) = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| fanoutlimit::publish(&fanout, &arguments));
        let seen = read_all(readers, &arguments).unwrap();
        (seen, publisher.join().unwrap())
    });
    assert!(events > 0);
    assert_eq!(seen.frames, events * 3);
    assert!(seen.line.contains(r#""lost": 0"#), "{}", seen.line);
}

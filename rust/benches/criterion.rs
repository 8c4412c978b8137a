//! Times of the event path's parts: `cargo bench --package event-path`, or with a part of a name, such as `threads`.
#![allow(missing_docs)] // criterion_group! makes a function without.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use event_path::ALL;
use event_path::fanout::{EVENTS, GROUP, batch, publish_batch, start};
use event_path::requests::{GET, HANDSHAKE, get_head, handshake_head};
use event_path::sinks::{Sinks, wait_until_written};

const CLIENTS: usize = 2000;
const FRAMES: u64 = (CLIENTS * EVENTS) as u64;

/// Fan-outs to sockets include the clients' reading.
fn measure_parts(criterion: &mut Criterion) {
    for workload in ALL {
        criterion.bench_function(workload.name, |bencher| bencher.iter((workload.make)()));
    }
}

/// A browser's handshake and a plain request, up to who reads their heads.
fn measure_requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("requests");
    for (name, request, mut work) in [("handshake", HANDSHAKE, handshake_head()), ("get", GET, get_head())] {
        group.throughput(Throughput::Bytes(request.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(&mut work));
    }
    group.finish();
}

/// One fan-out thread against two, into sockets that swallow; wants two idle cores at least.
fn measure_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("threads");
    group.throughput(Throughput::Elements(FRAMES));
    for threads in [1, 2] {
        let fanout = start(threads);
        let sinks = Sinks::new(&fanout, CLIENTS);
        for &client in &sinks.clients {
            fanout.subscribe(client, &[GROUP], &[], None);
        }
        let members = batch();
        let mut published = 0;
        group.bench_function(BenchmarkId::from_parameter(threads), |bencher| {
            bencher.iter(|| {
                publish_batch(&fanout, &members);
                published += FRAMES;
                wait_until_written(&fanout, published);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, measure_parts, measure_requests, measure_threads);
criterion_main!(benches);

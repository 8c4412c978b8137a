//! Runs one piece of work a given number of times: `counted NAME RUNS`. Without arguments: which there are.
//!
//! What it allocated, it says itself; how many instructions it took, whoever runs it under a counter finds out from two
//! numbers of runs. Both are the same on a busy machine as on a quiet one.

mod allocations;

use std::process::ExitCode;

use event_path::{ALL, Workload};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => list(),
        [name, runs] => match (find(name), runs.parse()) {
            (Some(workload), Ok(runs)) => run(&workload, runs),
            _ => return refuse(),
        },
        _ => return refuse(),
    }
    ExitCode::SUCCESS
}

fn refuse() -> ExitCode {
    eprintln!("counted: wanted is nothing, or a name it lists and a number of runs");
    ExitCode::from(2)
}

/// A line for each: name, runs that are enough.
fn list() {
    for workload in ALL {
        println!("{} {}", workload.name, workload.runs);
    }
}

fn find(name: &str) -> Option<Workload> {
    ALL.into_iter().find(|workload| workload.name == name)
}

/// Prints bytes allocated for each byte handled.
fn run(workload: &Workload, runs: u32) {
    let mut work = (workload.make)();
    work();
    let before = allocations::bytes();
    for _ in 0..runs {
        work();
    }
    let allocated = allocations::bytes() - before;
    println!("{} {}", allocated, u64::from(runs) * workload.bytes as u64);
}

//! See the library's page; `wsload` alone prints how to call it.

use std::process::ExitCode;

use wsload::arguments::{Arguments, USAGE};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("wsload: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let outcome = match arguments.mode.as_str() {
        "rawlimit" => wsload::rawlimit::run(&arguments),
        "fanoutlimit" => wsload::fanoutlimit::run(&arguments),
        "echo" => wsload::echo::run(&arguments),
        _ => wsload::load::run(&arguments),
    };
    outcome.map_or_else(
        |problem| {
            eprintln!("wsload: {problem}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

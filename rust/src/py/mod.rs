//! The skin towards Python, `PyO3` nowhere else: checks arguments, releases the GIL, calls the core, maps the errors.

use pyo3::prelude::*;

mod balance;
mod bytes;
mod descriptor;
mod entry_format;
mod fanout;
mod figures;
mod front;
mod http1;
mod links;
mod pairs;
mod pushes;
mod replies;
mod secret;
mod transport;

/// `awxfast._rust`; what is in it stands in `python/awxfast/_rust.pyi`.
#[pymodule]
#[pyo3(name = "_rust")]
fn extension(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    secret::register(module)?;
    balance::register(module)?;
    bytes::register(module)?;
    entry_format::register(module)?;
    fanout::register(module)?;
    front::register(module)?;
    http1::register(module)?;
    links::register(module)?;
    pushes::register(module)?;
    replies::register(module)
}

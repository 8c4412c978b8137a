//! What the command line asks for.

use std::time::Duration;

/// Printed for a wrong command line.
pub const USAGE: &str = "usage: wsload read|idle HOST:PORT [--clients N] [--groups NAME,NAME,...] [--groups-each N]
              [--never-read N] [--path P] [--token T] [--cookie C] [--connecting N] [--protocol awx|bare]
              [--seconds S] [--quiet S] [--drain S] [--warm-up S] [--series S]
       wsload echo HOST:PORT [--clients N] [--path P] [--size N] [--under-way N] [--seconds S]
       wsload rawlimit|fanoutlimit [--clients N] [--size N] [--batch N] [--seconds S] [--server-core N]
              [--load-core N] [--congestion NAME]";

/// What to do, from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// `read`, `idle`, `echo`, `rawlimit` or `fanoutlimit`.
    pub mode: String,
    /// Where the server listens, `HOST:PORT`.
    pub address: String,
    /// The path that is asked for.
    pub path: String,
    /// Sent as `?token=`; without it the identity is the server's business.
    pub token: Option<String>,
    /// Sent beside the CSRF token's cookie: `NAME=VALUE`.
    pub cookie: Option<String>,
    /// No commands and no replies: the request's path alone is the subscription.
    pub bare: bool,
    /// How many connections read events.
    pub clients: usize,
    /// Further connections that subscribe and then never read again.
    pub never_read: usize,
    /// `<key>-<value>` each; client `i` takes `groups_each` of them from number `i` on, round and round.
    pub groups: Vec<String>,
    /// How many groups a client takes.
    pub groups_each: usize,
    /// Handshakes under way at once.
    pub connecting: usize,
    /// The whole run ends after this time, whatever happens.
    pub limit: Duration,
    /// After the end of stdin: how long nothing must come before the run is taken for over.
    pub quiet: Duration,
    /// After the end of stdin: the run is over after this time, whatever still comes.
    pub drain: Duration,
    /// Latencies of events sent within this time of the first one do not count.
    pub warm_up: Duration,
    /// Frames and latencies are also told for each step of this length; zero: they are not.
    pub series: Duration,
    /// Echoes: messages of a client that are under way at a time.
    pub under_way: usize,
    /// The limits and echoes: payload bytes a frame.
    pub size: usize,
    /// The limits: frames a write, or events a batch.
    pub batch: usize,
    /// The limits: the sender's core.
    pub server_core: Option<usize>,
    /// The limits: the reader's core.
    pub load_core: Option<usize>,
    /// `rawlimit`: the sender's TCP congestion control, instead of the machine's.
    pub congestion: Option<String>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            mode: String::new(),
            address: String::new(),
            path: "/websocket/".into(),
            token: None,
            cookie: None,
            bare: false,
            clients: 100,
            never_read: 0,
            groups: vec!["job_events-1".into()],
            groups_each: 1,
            connecting: 32,
            limit: Duration::from_secs(60),
            quiet: Duration::from_secs(1),
            drain: Duration::from_secs(5),
            warm_up: Duration::ZERO,
            series: Duration::ZERO,
            under_way: 1,
            size: 1024,
            batch: 32,
            server_core: None,
            load_core: None,
            congestion: None,
        }
    }
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    ///
    /// One line that names the word that is wrong.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let mut arguments = Self { mode: words.next().unwrap_or_default(), ..Self::default() };
        match arguments.mode.as_str() {
            "read" | "idle" | "echo" => arguments.address = words.next().ok_or("HOST:PORT is missing")?,
            "rawlimit" | "fanoutlimit" => {}
            other => return Err(format!("unknown mode {other:?}")),
        }
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            arguments.set(&name, value)?;
        }
        Ok(arguments)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "--path" => self.path = value,
            "--token" => self.token = Some(value),
            "--cookie" => self.cookie = Some(value),
            "--congestion" => self.congestion = Some(value),
            "--protocol" => self.bare = is_bare(&value)?,
            "--groups" => self.groups = groups(&value)?,
            "--clients" => self.clients = number(name, &value)?,
            "--never-read" => self.never_read = number(name, &value)?,
            "--groups-each" => self.groups_each = number(name, &value)?,
            "--connecting" => self.connecting = number(name, &value)?.max(1),
            "--under-way" => self.under_way = number(name, &value)?.max(1),
            "--size" => self.size = number(name, &value)?,
            "--batch" => self.batch = number(name, &value)?.max(1),
            "--server-core" => self.server_core = Some(number(name, &value)?),
            "--load-core" => self.load_core = Some(number(name, &value)?),
            "--seconds" => self.limit = seconds(name, &value)?,
            "--quiet" => self.quiet = seconds(name, &value)?,
            "--drain" => self.drain = seconds(name, &value)?,
            "--warm-up" => self.warm_up = seconds(name, &value)?,
            "--series" => self.series = seconds(name, &value)?,
            other => return Err(format!("unknown option {other}")),
        }
        Ok(())
    }
}

fn is_bare(value: &str) -> Result<bool, String> {
    match value {
        "awx" => Ok(false),
        "bare" => Ok(true),
        other => Err(format!("--protocol: {other:?} is neither awx nor bare")),
    }
}

fn groups(value: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = value.split(',').map(str::to_owned).collect();
    match names.iter().find(|name| !name.contains('-')) {
        Some(name) => Err(format!("--groups: {name:?} is not of the form KEY-VALUE")),
        None => Ok(names),
    }
}

fn number(name: &str, value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("{name}: {value:?} is not a number"))
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let seconds: f64 = value.parse().map_err(|_| format!("{name}: {value:?} is not a number"))?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{name}: {value:?} is not a time"))
}

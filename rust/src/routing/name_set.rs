//! The names of one command, among which others are looked for.

use std::collections::HashSet;

/// Names of which, or for which, it is cheaper to look at each.
const FEW_NAMES: usize = 8;

/// Names that are looked for several times: in a table where a look at each would cost their number squared.
pub(super) enum NameSet<'a> {
    Few(&'a [&'a str]),
    Many(HashSet<&'a str>),
}

impl<'a> NameSet<'a> {
    pub(super) fn new(names: &'a [&'a str], looks: usize) -> Self {
        if names.len().min(looks) <= FEW_NAMES {
            NameSet::Few(names)
        } else {
            NameSet::Many(names.iter().copied().collect())
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            NameSet::Few(names) => names.contains(&name),
            NameSet::Many(names) => names.contains(name),
        }
    }
}

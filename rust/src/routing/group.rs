//! One group: its members in each shard, its channels, and the consumers that Python serves.

/// A group's number; used again once nothing refers to the group.
pub type GroupId = u32;

/// The group, of this process alone, of those links that want notices; no group in Redis can have its name.
pub const NOTICES: &str = "!notices";

#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: Box<str>,
    pub(super) status: bool,
    /// Members in each shard.
    pub(super) members: Box<[u32]>,
    pub(super) channels: u32,
    pub(super) consumers: Consumers,
}

impl Group {
    pub(super) fn new(name: &str, shards: usize, status_groups: &[String]) -> Self {
        Group {
            name: name.into(),
            // A notice that is missed costs a node all events of a group: those are shed last.
            status: name == NOTICES || status_groups.iter().any(|pattern| fits(pattern, name)),
            members: vec![0; shards].into(),
            channels: 0,
            consumers: Consumers::default(),
        }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.channels == 0 && self.consumers == Consumers::default() && !self.has_members()
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.consumers.all > 0 || self.has_members()
    }

    pub(super) fn has_members(&self) -> bool {
        self.members.iter().any(|&members| members > 0)
    }
}

/// The members of a group that are served by Python.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumers {
    /// Consumers in the group, seated or not.
    pub all: u32,
    /// Those without a socket in the group, which want what others get directly, too.
    pub loose: u32,
}

impl Consumers {
    /// Whether some want a message that does (not) go directly to sockets.
    pub(super) fn want(self, direct: bool) -> bool {
        if direct { self.loose > 0 } else { self.all > 0 }
    }
}

/// Whether a name fits a glob, in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(head) else { return false };
    (0..=rest.len()).filter(|&skip| rest.is_char_boundary(skip)).any(|skip| fits(tail, &rest[skip..]))
}

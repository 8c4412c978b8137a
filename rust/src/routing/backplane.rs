//! What links between nodes hear of: the group of the backplane, and who speaks in it for this process.

/// The group in which nodes' links hear of events and subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backplane {
    /// The name of the backplane's group.
    pub group: Box<str>,
    /// What this process's channel names begin with, on each Redis. Its consumers' notices are left out: one channel
    /// speaks for all.
    pub own: Vec<Box<str>>,
    /// The rest of the name of the one channel that speaks for all.
    pub speaker: Box<str>,
}

impl Backplane {
    /// Whether links are told what this channel wants.
    #[must_use]
    pub fn hears(&self, origin: &str) -> bool {
        let local = self.own.iter().find_map(|own| origin.strip_prefix(&**own));
        local.is_none_or(|local| local == &*self.speaker)
    }
}

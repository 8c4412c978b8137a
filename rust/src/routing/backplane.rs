//! What links between nodes hear of: the group of the backplane, and who speaks in it for this process.

/// The group in which nodes' links hear of events and subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backplane {
    /// The name of the backplane's group.
    pub group: Box<str>,
    /// What this process's channel names begin with. Its consumers' notices are left out: one channel speaks for all.
    pub own: Box<str>,
    /// The one channel of this process that speaks for all.
    pub speaker: Box<str>,
}

impl Backplane {
    /// Whether links are told what this channel wants.
    #[must_use]
    pub fn hears(&self, origin: &str) -> bool {
        !origin.starts_with(&*self.own) || origin == &*self.speaker
    }
}

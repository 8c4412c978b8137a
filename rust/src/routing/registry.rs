//! Who wants what: groups and clients by number, both ways, and which shards have members of a group.
//!
//! Pure bookkeeping: the caller turns each [`Change`] into commands for the client's shard, in the same order.

use std::collections::HashSet;

use crate::routing::backplane::Backplane;
pub use crate::routing::client_table::ClientId;
use crate::routing::client_table::Clients;
use crate::routing::group::Group;
pub use crate::routing::group::{Consumers, GroupId, NOTICES};
use crate::routing::name_set::NameSet;
use crate::routing::names::NumbersByName;

/// Whom a channel name stands for among those that Python serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer<'a> {
    /// The consumers in this group.
    Group(&'a str),
    /// A channel of its own: the name's part after `!`.
    Channel(&'a str),
}

/// What a subscription changed, by number.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Groups that the client is in now and was not before.
    pub joined: Vec<GroupId>,
    /// Groups that it was in and is not now.
    pub left: Vec<GroupId>,
}

/// All groups and clients of the process.
#[derive(Debug)]
pub struct Registry {
    shards: usize,
    status_groups: Vec<String>,
    groups: Vec<Option<Group>>,
    free_groups: Vec<GroupId>,
    by_name: NumbersByName,
    by_local: NumbersByName,
    own_channels: HashSet<Box<str>>,
    clients: Clients,
    backplane: Option<Backplane>,
}

impl Registry {
    /// An empty registry for `shards` shards (1 to 255); groups that fit one of the globs carry status frames.
    #[must_use]
    pub fn new(shards: usize, status_groups: Vec<String>) -> Self {
        Registry {
            shards,
            status_groups,
            groups: Vec::new(),
            free_groups: Vec::new(),
            by_name: NumbersByName::default(),
            by_local: NumbersByName::default(),
            own_channels: HashSet::new(),
            clients: Clients::new(shards),
            backplane: None,
        }
    }

    /// A new browser, in the shard that has the fewest clients.
    pub fn add_client(&mut self) -> ClientId {
        self.clients.add(false)
    }

    /// The same for another node, which is not one of `clients`.
    pub fn add_link(&mut self) -> ClientId {
        self.clients.add(true)
    }

    /// Forgets a client; the groups it was in, or `None` if it was gone already.
    pub fn remove_client(&mut self, client: ClientId) -> Option<Vec<GroupId>> {
        let left = self.leave_all(client)?;
        self.clients.remove(client);
        Some(left)
    }

    /// Takes a client out of its groups; which they were, or `None` if it is gone.
    pub fn leave_all(&mut self, client: ClientId) -> Option<Vec<GroupId>> {
        let groups: Vec<GroupId> = std::mem::take(&mut self.clients.get_mut(client)?.groups).into_iter().collect();
        for &group in &groups {
            self.count_member(group, client.shard(), -1);
        }
        Some(groups)
    }

    /// Changes a client's groups; `None` if it is gone. A group in both lists ends joined.
    pub fn subscribe(&mut self, client: ClientId, joined: &[&str], left: &[&str]) -> Option<Change> {
        self.clients.get(client)?;
        let mut change = Change::default();
        let stays = NameSet::new(joined, left.len());
        for name in left.iter().filter(|name| !stays.contains(name)) {
            if let Some(&group) = self.by_name.get(name)
                && self.clients.get_mut(client)?.groups.remove(&group)
            {
                change.left.push(group);
            }
        }
        for name in joined {
            let group = self.intern(name);
            if self.clients.get_mut(client)?.groups.insert(group) {
                change.joined.push(group);
                self.count_member(group, client.shard(), 1);
            }
        }
        for &group in &change.left {
            self.count_member(group, client.shard(), -1);
        }
        Some(change)
    }

    /// Every client, whether it is a node link, and its groups.
    pub fn list_clients(&self) -> impl Iterator<Item = (ClientId, bool, Vec<GroupId>)> {
        self.clients.list().map(|(id, slot)| (id, slot.is_link, slot.groups.iter().copied().collect()))
    }

    /// The names of a client's groups, sorted.
    #[must_use]
    pub fn groups_of(&self, client: ClientId) -> Vec<&str> {
        let groups = self.clients.get(client).into_iter().flat_map(|slot| &slot.groups);
        let mut names: Vec<&str> = groups.map(|&group| self.name(group)).collect();
        names.sort_unstable();
        names
    }

    /// Entries whose channel ends in `local` belong to `group` from now on.
    pub fn add_channel(&mut self, local: &str, group: &str) {
        let id = self.intern(group);
        if let Some(entry) = self.groups[id as usize].as_mut() {
            entry.channels += 1;
        }
        if let Some(before) = self.by_local.insert(local, id) {
            self.count_channel_gone(before);
        }
    }

    /// Forgets what `add_channel` said.
    pub fn remove_channel(&mut self, local: &str) {
        if let Some(group) = self.by_local.remove(local) {
            self.count_channel_gone(group);
        }
    }

    fn count_channel_gone(&mut self, group: GroupId) {
        if let Some(entry) = self.groups[group as usize].as_mut() {
            entry.channels -= 1;
        }
        self.drop_unused(group);
    }

    /// Says how many consumers are in a group from now on.
    pub fn set_consumers(&mut self, group: &str, consumers: Consumers) {
        let id = self.intern(group);
        if let Some(entry) = self.groups[id as usize].as_mut() {
            entry.consumers = consumers;
        }
        self.drop_unused(id);
    }

    /// Entries whose channel ends in `local` are taken by Python from now on.
    pub fn add_own_channel(&mut self, local: &str) {
        self.own_channels.insert(local.into());
    }

    /// Forgets what `add_own_channel` said.
    pub fn remove_own_channel(&mut self, local: &str) {
        self.own_channels.remove(local);
    }

    /// Whom Python serves under a channel name, for a message that does (not) go directly to sockets.
    #[must_use]
    pub fn consumer<'a>(&'a self, channel: &'a str, direct: bool) -> Option<Consumer<'a>> {
        let local = channel.split_once('!')?.1;
        if let Some(&group) = self.by_local.get(local) {
            let entry = self.groups[group as usize].as_ref()?;
            return entry.consumers.want(direct).then_some(Consumer::Group(&entry.name));
        }
        self.own_channel(local)
    }

    /// A channel of its own that Python serves, by the part of its name that is its own.
    #[must_use]
    pub fn own_channel<'a>(&self, local: &'a str) -> Option<Consumer<'a>> {
        self.own_channels.contains(local).then_some(Consumer::Channel(local))
    }

    /// The group that a channel name stands for, if it has members.
    #[must_use]
    pub fn resolve(&self, channel: &str) -> Option<GroupId> {
        let local = channel.split_once('!')?.1;
        let group = *self.by_local.get(local)?;
        self.groups[group as usize].as_ref().filter(|entry| entry.has_members()).map(|_| group)
    }

    /// Names the group of the backplane: what comes in it is for links, whatever its type says.
    pub fn set_backplane(&mut self, backplane: Backplane) {
        self.backplane = Some(backplane);
    }

    /// The backplane, if there is one and this is its channel.
    #[must_use]
    pub fn backplane_of(&self, channel: &str) -> Option<&Backplane> {
        let backplane = self.backplane.as_ref().filter(|_| self.clients.has_links())?;
        let group = *self.by_local.get(channel.split_once('!')?.1)?;
        (self.name(group) == &*backplane.group).then_some(backplane)
    }

    /// The backplane, if there is one that has links and this is its group.
    #[must_use]
    pub fn backplane_in(&self, group: &str) -> Option<&Backplane> {
        self.backplane.as_ref().filter(|backplane| self.clients.has_links() && *backplane.group == *group)
    }

    /// Whether channel names that begin so are this process's.
    #[must_use]
    pub fn is_own(&self, names: &str) -> bool {
        self.backplane.as_ref().is_some_and(|backplane| backplane.own.iter().any(|own| **own == *names))
    }

    /// The backplane's group; empty without one.
    #[must_use]
    pub fn backplane_group(&self) -> &str {
        self.backplane.as_ref().map_or("", |backplane| &backplane.group)
    }

    /// A group that has members, by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<GroupId> {
        let group = *self.by_name.get(name)?;
        self.groups[group as usize].as_ref().filter(|entry| entry.has_members()).map(|_| group)
    }

    /// Whether Python has consumers in a group for a message that does (not) go directly to sockets.
    #[must_use]
    pub fn has_consumers(&self, name: &str, direct: bool) -> bool {
        let group = self.by_name.get(name).and_then(|&group| self.groups[group as usize].as_ref());
        group.is_some_and(|entry| entry.consumers.want(direct))
    }

    /// How many members of a group a shard has.
    #[must_use]
    pub fn members(&self, group: GroupId, shard: usize) -> usize {
        self.groups[group as usize].as_ref().map_or(0, |entry| entry.members[shard] as usize)
    }

    /// Whether a group's frames are status frames, which are shed last.
    #[must_use]
    pub fn is_status(&self, group: GroupId) -> bool {
        self.groups[group as usize].as_ref().is_some_and(|entry| entry.status)
    }

    /// The name that a group has.
    #[must_use]
    pub fn name(&self, group: GroupId) -> &str {
        self.groups[group as usize].as_ref().map_or("", |entry| &entry.name)
    }

    /// The number of clients, node links aside.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.browsers()
    }

    /// The number of groups that somebody is in.
    #[must_use]
    pub fn groups(&self) -> usize {
        let wanted = self.groups.iter().flatten().filter(|group| group.is_wanted());
        wanted.filter(|group| &*group.name != NOTICES).count()
    }

    fn intern(&mut self, name: &str) -> GroupId {
        let Registry { by_name, groups, free_groups, shards, status_groups, .. } = self;
        by_name.get_or_insert_with(name, || {
            let group = free_groups.pop().unwrap_or_else(|| {
                groups.push(None);
                GroupId::try_from(groups.len() - 1).expect("fewer than 2^32 groups")
            });
            groups[group as usize] = Some(Group::new(name, *shards, status_groups));
            group
        })
    }

    fn count_member(&mut self, group: GroupId, shard: usize, change: i32) {
        if let Some(entry) = self.groups[group as usize].as_mut() {
            entry.members[shard] = entry.members[shard].saturating_add_signed(change);
        }
        self.drop_unused(group);
    }

    fn drop_unused(&mut self, group: GroupId) {
        if let Some(entry) = self.groups[group as usize].take_if(|entry| entry.is_unused()) {
            self.by_name.remove(&entry.name);
            self.free_groups.push(group);
        }
    }
}

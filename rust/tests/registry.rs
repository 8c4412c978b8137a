//! Groups and clients by number: membership against a plain model, numbers that are never mixed up.

use std::collections::{BTreeMap, BTreeSet};

use awxfast_core::routing::registry::{ClientId, Registry};
use proptest::prelude::*;

#[test]
fn channel_resolves_to_a_group_only_while_somebody_is_in_it() {
    let mut registry = Registry::new(1, Vec::new());
    registry.add_channel("g.jobs-summary", "jobs-summary");
    assert_eq!(registry.resolve("specific.00ff!g.jobs-summary"), None);
    let client = registry.add_client();
    let change = registry.subscribe(client, &["jobs-summary"], &[]).unwrap();
    assert_eq!(registry.resolve("specific.00ff!g.jobs-summary"), Some(change.joined[0]));
    assert_eq!(registry.resolve("specific.00ff!g.jobs"), None);
    assert_eq!(registry.resolve("g.jobs-summary"), None);
    registry.remove_client(client);
    assert_eq!(registry.resolve("specific.00ff!g.jobs-summary"), None);
}

#[test]
fn channel_that_moves_to_another_group_leaves_the_first() {
    let mut registry = Registry::new(1, Vec::new());
    registry.add_channel("n.1", "a");
    registry.add_channel("n.1", "b");
    let client = registry.add_client();
    let joined = registry.subscribe(client, &["a", "b"], &[]).unwrap().joined;
    assert_eq!(registry.resolve("x!n.1"), Some(joined[1]));
}

#[test]
fn number_of_a_client_that_is_gone_means_nobody() {
    let mut registry = Registry::new(1, Vec::new());
    let gone = registry.add_client();
    registry.subscribe(gone, &["a"], &[]).unwrap();
    registry.remove_client(gone).unwrap();
    let next = registry.add_client();
    assert_eq!(next.slot(), gone.slot());
    assert_ne!(next, gone);
    assert_eq!(registry.subscribe(gone, &["a"], &[]), None);
    assert_eq!(registry.remove_client(gone), None);
    assert!(registry.groups_of(next).is_empty());
    assert_eq!(registry.groups_of(ClientId(u64::MAX)), Vec::<&str>::new());
}

/// Squared, this is 10^10 comparisons of names.
#[test]
fn hundred_thousand_groups_are_joined_and_left_in_one_change() {
    let mut registry = Registry::new(1, Vec::new());
    let client = registry.add_client();
    let names: Vec<String> = (0..200_000).map(|number| format!("job_events-{number:060}")).collect();
    let (first, second): (Vec<&str>, Vec<&str>) =
        (names[..100_000].iter().map(String::as_str).collect(), names[100_000..].iter().map(String::as_str).collect());
    assert_eq!(registry.subscribe(client, &first, &[]).unwrap().joined.len(), 100_000);
    let change = registry.subscribe(client, &second, &first).unwrap();
    assert_eq!((change.joined.len(), change.left.len()), (100_000, 100_000));
    assert_eq!(registry.groups(), 100_000);
    assert_eq!(registry.remove_client(client).unwrap().len(), 100_000);
    assert_eq!(registry.groups(), 0);
}

#[test]
fn clients_spread_over_the_shards() {
    let mut registry = Registry::new(3, Vec::new());
    let shards: BTreeSet<usize> = (0..3).map(|_| registry.add_client().shard()).collect();
    assert_eq!(shards.len(), 3);
}

#[test]
fn only_shards_with_members_are_asked() {
    let mut registry = Registry::new(2, Vec::new());
    let (first, second) = (registry.add_client(), registry.add_client());
    let group = registry.subscribe(second, &["a"], &[]).unwrap().joined[0];
    assert_eq!(registry.members(group, first.shard()), 0);
    assert_eq!(registry.members(group, second.shard()), 1);
}

#[test]
fn globs_tell_status_groups() {
    let mut registry = Registry::new(1, vec!["jobs-*".into(), "*-changed".into(), "exact".into()]);
    let client = registry.add_client();
    let status = |registry: &mut Registry, name: &str| {
        let group = registry.subscribe(client, &[name], &[]).unwrap().joined[0];
        registry.is_status(group)
    };
    assert!(status(&mut registry, "jobs-status_changed"));
    assert!(status(&mut registry, "schedules-changed"));
    assert!(status(&mut registry, "exact"));
    assert!(!status(&mut registry, "job_events-42"));
    assert!(!status(&mut registry, "exactly"));
    assert!(!status(&mut registry, "changed"));
}

#[test]
fn group_named_as_joined_and_left_ends_joined() {
    let mut registry = Registry::new(1, Vec::new());
    let client = registry.add_client();
    registry.subscribe(client, &["a"], &[]).unwrap();
    let change = registry.subscribe(client, &["a"], &["a"]).unwrap();
    assert!(change.joined.is_empty() && change.left.is_empty());
    assert_eq!(registry.groups_of(client), ["a"]);
}

#[derive(Clone, Debug)]
enum Step {
    Add,
    Remove(usize),
    Subscribe(usize, Vec<usize>, Vec<usize>),
    LeaveAll(usize),
    AddChannel(usize),
    RemoveChannel(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let groups = || proptest::collection::vec(0..6usize, 0..4);
    let step = prop_oneof![
        2 => Just(Step::Add),
        1 => (0..20usize).prop_map(Step::Remove),
        4 => (0..20usize, groups(), groups()).prop_map(|(client, join, leave)| Step::Subscribe(client, join, leave)),
        1 => (0..20usize).prop_map(Step::LeaveAll),
        1 => (0..6usize).prop_map(Step::AddChannel),
        1 => (0..6usize).prop_map(Step::RemoveChannel),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn registry_agrees_with_a_plain_model(steps in steps()) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut registry = Registry::new(2, Vec::new());
        let mut model: BTreeMap<ClientId, BTreeSet<&str>> = BTreeMap::new();
        let mut channels: BTreeSet<usize> = BTreeSet::new();
        let mut everybody: Vec<ClientId> = Vec::new();
        for step in steps {
            match step {
                Step::Add => {
                    let client = registry.add_client();
                    prop_assert!(!everybody.contains(&client), "a number is never used again");
                    everybody.push(client);
                    model.insert(client, BTreeSet::new());
                }
                Step::Remove(which) => if let Some(&client) = everybody.get(which) {
                    prop_assert_eq!(registry.remove_client(client).is_some(), model.remove(&client).is_some());
                },
                Step::Subscribe(which, join, leave) => if let Some(&client) = everybody.get(which) {
                    let join: Vec<&str> = join.into_iter().map(|group| names[group]).collect();
                    let leave: Vec<&str> = leave.into_iter().map(|group| names[group]).collect();
                    let change = registry.subscribe(client, &join, &leave);
                    prop_assert_eq!(change.is_some(), model.contains_key(&client));
                    if let Some(groups) = model.get_mut(&client) {
                        groups.retain(|group| !leave.contains(group));
                        groups.extend(join);
                    }
                },
                Step::LeaveAll(which) => if let Some(&client) = everybody.get(which) {
                    registry.leave_all(client);
                    if let Some(groups) = model.get_mut(&client) { groups.clear(); }
                },
                Step::AddChannel(group) => {
                    registry.add_channel(&format!("g.{}", names[group]), names[group]);
                    channels.insert(group);
                }
                Step::RemoveChannel(group) => {
                    registry.remove_channel(&format!("g.{}", names[group]));
                    channels.remove(&group);
                }
            }
            let wanted: BTreeSet<&str> = model.values().flatten().copied().collect();
            prop_assert_eq!(registry.groups(), wanted.len());
            prop_assert_eq!(registry.clients(), model.len());
            for &client in &everybody {
                let groups: Vec<&str> = model.get(&client).into_iter().flatten().copied().collect();
                prop_assert_eq!(registry.groups_of(client), groups);
            }
            for (index, name) in names.iter().enumerate() {
                let resolved = registry.resolve(&format!("p!g.{name}"));
                let expected = channels.contains(&index) && wanted.contains(name);
                prop_assert_eq!(resolved.is_some(), expected);
                if let Some(group) = resolved {
                    prop_assert_eq!(registry.name(group), *name);
                    let members = (0..2).any(|shard| registry.members(group, shard) > 0);
                    prop_assert!(members);
                }
            }
        }
    }
}

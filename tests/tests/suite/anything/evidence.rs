//! What saddlebag itself says of each node: which record a row is, what stands beside it, what is held, what
//! disagreed. None of it is believed; all of it is looked up to be checked.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::members::decode_change;
use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_formats::{Action, NodeId, RecordChange, Seq, TableDescription, Uid, Value};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Beside, Conflict, HeldKind};
use saddlebag_tests::app::Sql;

use super::look::typed;
use super::schema::{Role, Spec};
use super::world::World;

/// A held change.
#[derive(Debug, Clone)]
pub(crate) struct HeldChange {
    /// The node at the other end of the link that it came over.
    pub(crate) from: usize,
    pub(crate) table: usize,
    pub(crate) uid: Uid,
    pub(crate) kind: HeldKind,
    pub(crate) reason: String,
    pub(crate) description: TableDescription,
    pub(crate) change: RecordChange,
}

/// One node's.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// The record of each row, by table and tag.
    pub(crate) uids: BTreeMap<(usize, String), Uid>,
    /// The tag of each live record.
    pub(crate) live: BTreeMap<(usize, Uid), String>,
    /// By table, record and column.
    pub(crate) beside: BTreeMap<(usize, Uid, usize), Beside>,
    pub(crate) held: Vec<HeldChange>,
    pub(crate) conflicts: Vec<Conflict>,
    /// Rows that stay at home, by table and tag, with the record that has their identity.
    pub(crate) home: BTreeMap<(usize, String), Option<Uid>>,
}

pub(crate) struct Evidence {
    pub(crate) nodes: Vec<Node>,
    /// For each tag the first of those that have named the same record.
    same: BTreeMap<(usize, String), String>,
    /// The tags of records that saddlebag has seen somewhere.
    known: BTreeSet<(usize, String)>,
    /// A tag of every record that any node knows.
    tags: BTreeMap<(usize, Uid), String>,
}

impl Evidence {
    pub(crate) fn gather(world: &mut World) -> Self {
        let peers: Vec<NodeId> = world.fleet.nodes.iter().map(|node| node.me.id).collect();
        let mut nodes = Vec::new();
        let mut groups: BTreeMap<(usize, Uid), BTreeSet<String>> = BTreeMap::new();
        for at in 0..peers.len() {
            let node = one(world, at, &peers, &mut groups);
            nodes.push(node);
        }
        let mut same = Same::default();
        for ((table, _), tags) in &groups {
            same.join(*table, tags.iter());
        }
        for ((table, _), tags) in &world.identities {
            same.join(*table, tags.iter());
        }
        for conflict in nodes.iter().flat_map(|node| &node.conflicts) {
            let Some(table) = world.spec.tables.iter().position(|table| table.name == conflict.table) else { continue };
            let of = &world.spec.tables[table];
            if conflict.column.as_deref() == Some(of.columns[of.tag()].name.as_str()) {
                same.join(table, sides(conflict).iter());
            }
        }
        let known = groups.iter().flat_map(|((table, _), tags)| tags.iter().map(|tag| (*table, tag.clone()))).collect();
        let tags = groups.into_iter().filter_map(|(spot, tags)| Some((spot, tags.into_iter().next()?))).collect();
        Self { nodes, same: same.first, known, tags }
    }

    /// Whether saddlebag has ever seen a record of this tag: one that came and went between two absorbs it has not.
    pub(crate) fn knows(&self, table: usize, tag: &str) -> bool {
        let same = self.same(table, tag);
        self.known.iter().any(|(of, known)| *of == table && self.same(*of, known) == same)
    }

    /// Whether a dangling reference may mean a row that came and went before anybody was told: somebody put one there.
    pub(crate) fn has_fleeting(
        &self,
        spec: &Spec,
        table: usize,
        column: usize,
        means: &str,
        ever: &BTreeSet<(usize, String, usize, String)>,
    ) -> bool {
        let is_fleeting = |(of, _, at, said): &(usize, String, usize, String)| {
            let tag = said.strip_prefix("-> ").filter(|said| !said.starts_with("dangling"));
            let tag = tag.map(|tag| tag.rsplit(',').next().unwrap_or(tag));
            (*of, *at) == (table, column)
                && tag.is_some_and(|tag| (0..spec.tables.len()).all(|to| !self.knows(to, tag)))
        };
        means.starts_with("-> dangling") && ever.iter().any(is_fleeting)
    }

    /// One name for all tags of a record.
    pub(crate) fn same(&self, table: usize, tag: &str) -> String {
        self.same.get(&(table, tag.to_owned())).cloned().unwrap_or_else(|| tag.to_owned())
    }

    /// What a value of saddlebag's means.
    pub(crate) fn meaning(&self, spec: &Spec, table: usize, column: usize, value: &Value) -> String {
        let role = &spec.tables[table].columns[column].role;
        match (role, value) {
            (_, Value::Dangling(key)) => format!("-> dangling {key}"),
            (Role::Refers(reference), Value::Reference(uid)) => format!("-> {}", self.tag(reference.to, *uid)),
            (_, Value::NamedReference(model, uid)) => {
                let to = spec.tables.iter().position(|table| table.model() == *model);
                format!("-> {model},{}", to.map_or("?".to_owned(), |to| self.tag(to, *uid)))
            }
            (_, value) => plain(value).map_or_else(|| format!("{value:?}"), |value| typed(&value)),
        }
    }

    pub(crate) fn tag(&self, table: usize, uid: Uid) -> String {
        self.tags.get(&(table, uid)).cloned().unwrap_or_else(|| format!("unknown {uid}"))
    }

    /// A meaning in which a reference has the one name of its target.
    pub(crate) fn canonical(&self, spec: &Spec, table: usize, column: usize, meaning: &str) -> String {
        let Some(target) = meaning.strip_prefix("-> ").filter(|target| !target.starts_with("dangling")) else {
            return meaning.to_owned();
        };
        match &spec.tables[table].columns[column].role {
            Role::Refers(reference) => format!("-> {}", self.same(reference.to, target)),
            _ => {
                let (model, tag) = target.rsplit_once(',').unwrap_or((target, ""));
                let to = spec.tables.iter().position(|table| table.model() == model);
                format!("-> {model},{}", to.map_or(tag.to_owned(), |to| self.same(to, tag)))
            }
        }
    }
}

/// Tags that name one record.
#[derive(Default)]
struct Same {
    first: BTreeMap<(usize, String), String>,
}

impl Same {
    fn join<'t>(&mut self, table: usize, tags: impl Iterator<Item = &'t String>) {
        let of = |same: &Self, tag: &String| same.first.get(&(table, tag.clone())).cloned().unwrap_or(tag.clone());
        let tags: Vec<&String> = tags.collect();
        let firsts: BTreeSet<String> = tags.iter().map(|tag| of(self, tag)).collect();
        let Some(first) = firsts.first().cloned() else { return };
        for ((at, _), known) in &mut self.first {
            if *at == table && firsts.contains(known) {
                known.clone_from(&first);
            }
        }
        for tag in tags {
            self.first.insert((table, tag.clone()), first.clone());
        }
        for tag in firsts {
            self.first.insert((table, tag), first.clone());
        }
    }
}

/// The text on both sides of a conflict.
pub(crate) fn sides(conflict: &Conflict) -> Vec<String> {
    let sides = [&conflict.winner, &conflict.loser].into_iter();
    let value = |bytes: &Vec<u8>| decode_values(bytes).unwrap().pop().map(|(_, value)| value);
    sides
        .filter_map(|side| match side.value.as_ref().and_then(value) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        })
        .collect()
}

/// A value as SQLite has it, where it has it.
pub(crate) fn plain(value: &Value) -> Option<Sql> {
    Some(match value {
        Value::Null => Sql::Null,
        Value::Integer(number) => Sql::Integer(*number),
        Value::Real(number) => Sql::Real(*number),
        Value::Text(text) => Sql::Text(text.clone()),
        Value::Blob(bytes) => Sql::Blob(bytes.clone()),
        _ => return None,
    })
}

fn one(world: &mut World, at: usize, peers: &[NodeId], groups: &mut BTreeMap<(usize, Uid), BTreeSet<String>>) -> Node {
    let (spec, store) = (&world.spec, &mut world.fleet.nodes[at].store);
    let mut node = Node::default();
    store.begin(Access::Read).unwrap();
    let last = store.last_seq().unwrap();
    let links = store.links().unwrap();
    for (index, table) in spec.tables.iter().enumerate() {
        let tracked = store.tracking().by_name(&table.name).unwrap().clone();
        let tag = tracked.column_index(&table.columns[table.tag()].name).unwrap();
        let column = |id: u16| table.index(&tracked.columns[tracked.index_of_id(id).unwrap()].name).unwrap();
        for record in store.feed(&tracked, Seq(0), last).unwrap() {
            let Value::Text(tag) = &record.values[tag] else { panic!("{record:?} has no tag") };
            node.uids.insert((index, tag.clone()), record.uid);
            let other = node.live.insert((index, record.uid), tag.clone());
            assert_eq!(other, None, "one record in two rows of {}", table.name);
            groups.entry((index, record.uid)).or_default().insert(tag.clone());
        }
        for tombstone in store.deleted(&tracked, Seq(0), last).unwrap() {
            for (_, value) in tombstone.values.iter().filter(|(id, _)| *id == tracked.columns[tag].id) {
                if let Value::Text(tag) = value {
                    groups.entry((index, tombstone.uid)).or_default().insert(tag.clone());
                }
            }
        }
        for beside in store.beside(&tracked).unwrap() {
            node.beside.insert((index, beside.uid, column(beside.column)), beside);
        }
        for home in store.home_rows(&tracked).unwrap() {
            let Value::Text(tag) = &home.values[tag] else { panic!("{home:?} has no tag") };
            node.home.insert((index, tag.clone()), home.holder);
            if let Some(key) = home.key.0.first().and_then(plain) {
                world.keys[at].stays_home(index, &key);
            }
        }
    }
    for held in store.held(None).unwrap() {
        let (description, change) = decode_change(&held.change).unwrap();
        let peer = links.iter().find(|link| link.id == held.link).unwrap().peer;
        let from = peers.iter().position(|known| *known == peer).unwrap();
        let table = spec.tables.iter().position(|table| table.name == held.table).unwrap();
        if let Action::Write { columns, .. } = &change.action {
            let tag = &spec.tables[table].columns[spec.tables[table].tag()].name;
            for column in columns {
                if let (true, Value::Text(text)) =
                    (description.columns[usize::from(column.column)].name == *tag, &column.value)
                {
                    groups.entry((table, held.uid)).or_default().insert(text.clone());
                }
            }
        }
        let (uid, kind, reason) = (held.uid, held.kind, held.reason);
        node.held.push(HeldChange { from, table, uid, kind, reason, description, change });
    }
    node.conflicts = store.conflicts().unwrap();
    store.rollback().unwrap();
    node
}

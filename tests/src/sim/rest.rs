//! The end of a run: nothing is lost any more, until nobody has anything new to say; then everything is looked at.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::{Uid, Value, Version};

use super::account::Account;
use super::kept::{self, Kept};
use super::look::Look;
use super::plan::randomness;
use super::schema::TABLES;
use super::world::World;

/// Rounds after which a deployment that is not quiet never will be.
const ROUNDS_MAX: usize = 40;
/// Bundles that are applied once more at the end.
const AGAIN: usize = 6;

/// The version and value of every shared column.
type Versions = BTreeMap<(String, Uid, String), (Version, Value)>;

impl World {
    /// Rounds over all links until nobody says anything new, and one more; then all checks.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn come_to_rest(&mut self) -> Result<(), String> {
        let mut rounds = 0;
        while self.round()? || self.rejoin_all() || self.write_where_nothing_is_noticed() || self.bring_in_the_other() {
            rounds += 1;
            if rounds > ROUNDS_MAX {
                return Err("the deployment never comes to rest".to_owned());
            }
        }
        self.trace.say(format!("at rest after {rounds} rounds"));
        self.check()?;
        let mut random = randomness(self.plan.seed, u64::MAX - 1);
        for _ in 0..AGAIN.min(self.applied.len()) {
            let (_, bundle) = self.applied[random.below(self.applied.len())].clone();
            self.apply_again(&bundle)?;
        }
        Ok(())
    }

    /// Everybody speaks to everybody; says whether anything new was said, or heard.
    fn round(&mut self) -> Result<bool, String> {
        self.pass(1_000);
        let (mut any_news, heard) = (false, self.applied.len());
        for (satellite, central) in self.fleet.links() {
            for (from, to) in [(satellite, central), (central, satellite)] {
                let (bundles, is_new) = self.export(from, to)?;
                any_news |= is_new;
                for bundle in bundles {
                    self.import(&bundle)?;
                }
            }
        }
        Ok(any_news || self.applied.len() > heard)
    }

    fn check(&mut self) -> Result<(), String> {
        for node in &mut self.fleet.nodes {
            if let Some(neighbour) = node.different() {
                return Err(format!("by its digests, {} holds other records than {neighbour}", node.me.name));
            }
        }
        self.all_links_move()?;
        let kept = Kept::of(self)?;
        let versions: Vec<Versions> = self.fleet.nodes.iter_mut().map(|node| node.versions()).collect();
        for (node, (versions, conflicts)) in versions.iter().zip(&kept.conflicts).enumerate() {
            let line = format!("{versions:?} {conflicts:?}");
            self.trace.say(format!("{} ends with {line}", self.name(node)));
        }
        self.same_versions(&versions, &kept)?;
        let looks: Vec<Look> = self.fleet.nodes.iter().map(|node| Look::at(&node.app)).collect();
        self.all_rows_are_known(&versions, &looks)?;
        self.same_meaning(&looks, &kept)?;
        kept::receipts_arrived(self)?;
        Account { world: self, looks: &looks, kept: &kept, versions: &versions[0] }.check()
    }

    /// "Both ends of a link hold the same version of every shared column", but of what is held.
    fn same_versions(&self, versions: &[Versions], kept: &Kept) -> Result<(), String> {
        for (node, here) in versions.iter().enumerate().skip(1) {
            let there = &versions[self.plan.centrals[node]];
            let differs = |one: &Versions, other: &Versions| {
                let differing = one
                    .iter()
                    .find(|(spot, version)| !kept.held.contains(&spot.1) && other.get(*spot) != Some(*version));
                differing.map(|(spot, version)| format!("{spot:?}: {version:?} and {:?}", other.get(spot)))
            };
            if let Some(difference) = differs(here, there).or_else(|| differs(there, here)) {
                let central = self.name(self.plan.centrals[node]);
                return Err(format!(
                    "{} and its central {central} hold different versions: {difference}",
                    self.name(node)
                ));
            }
        }
        Ok(())
    }

    /// Each row of the application's tables is a record that is kept in step, or is shown as one that stays at home.
    fn all_rows_are_known(&mut self, versions: &[Versions], looks: &[Look]) -> Result<(), String> {
        for (node, (versions, look)) in versions.iter().zip(looks).enumerate() {
            for (table, rows) in TABLES.iter().zip(&look.tables) {
                let of_it = versions.keys().filter(|(name, _, _)| name == table.name);
                let records = of_it.map(|(_, uid, _)| uid).collect::<BTreeSet<_>>().len();
                let at_home = self.fleet.nodes[node].at_home(table.name);
                if rows.len() != records + at_home {
                    let (name, rows, table) = (self.name(node), rows.len(), table.name);
                    return Err(format!(
                        "{name} has {rows} rows in {table}, knows {records} and keeps {at_home} at home"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The application's tables mean the same at all nodes, but for what is held.
    fn same_meaning(&self, looks: &[Look], kept: &Kept) -> Result<(), String> {
        let meaning = |look: &Look| -> Vec<(usize, String, Vec<Option<String>>)> {
            let rows =
                look.tables.iter().enumerate().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row)));
            let is_held = |name: &str| {
                kept.held_names.contains(name) || name.split('/').any(|name| kept.held_names.contains(name))
            };
            let free = rows.filter(|(_, row)| !is_held(&row.name) && !row.values.iter().flatten().any(|v| is_held(v)));
            free.map(|(table, row)| (table, row.name.clone(), row.values.clone())).collect()
        };
        let ministry = meaning(&looks[0]);
        for (node, look) in looks.iter().enumerate().skip(1) {
            let here = meaning(look);
            let times = |row, rows: &[_]| rows.iter().filter(|other| *other == row).count();
            let lacks = ministry.iter().find(|row| times(*row, &here) < times(*row, &ministry));
            let odd = here.iter().find(|row| times(*row, &here) > times(*row, &ministry));
            let (lacks, odd) = (lacks.map(|row| ("lacks", row)), odd.map(|row| ("alone has", row)));
            if let Some((what, (table, name, values))) = lacks.or(odd) {
                return Err(format!(
                    "{} {what} {} {name} {values:?}, against the ministry",
                    self.name(node),
                    TABLES[*table].name
                ));
            }
        }
        Ok(())
    }
}

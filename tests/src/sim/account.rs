//! The account of every committed value, against the model alone.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::{Uid, Value, Version};

use super::kept::{Kept, Pair};
use super::look::Look;
use super::model::{Model, Spot, Write, spot};
use super::schema::{Column, Follow, PATIENT, STAY, TABLES};
use super::world::World;

/// What the nodes hold at the end, and what they keep.
#[derive(Debug)]
pub struct Account<'a> {
    /// The deployment.
    pub world: &'a World,
    /// The tables of each node.
    pub looks: &'a [Look],
    /// What is kept beside them.
    pub kept: &'a Kept,
    /// The versions at the ministry.
    pub versions: &'a BTreeMap<(String, Uid, String), (Version, Value)>,
}

impl Account<'_> {
    /// All checks of the account.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), String> {
        let mut finals: BTreeMap<Spot, BTreeSet<String>> = BTreeMap::new();
        for look in self.looks {
            for (table, rows) in look.tables.iter().enumerate() {
                for row in rows {
                    self.is_no_invention(table, &row.name, &row.values)?;
                    for (column, value) in row.values.iter().enumerate() {
                        if let Some(value) = value {
                            finals.entry(spot(table, column, row)).or_default().insert(value.clone());
                        }
                    }
                }
            }
        }
        for (spot, writes) in &self.model().writes {
            let stands = finals.get(spot);
            let upon = self.model().written_upon(spot);
            self.all_accounted(spot, writes, stands, &upon)?;
            if !self.model().has_repeated(spot) {
                self.is_last(spot, stands, &upon)?;
                self.future_gives_way(spot, writes, stands, &upon)?;
                self.newest_wins(spot, writes, stands, &upon)?;
            }
        }
        self.deletions_hold()?;
        self.conflicts_are_true()
    }

    fn model(&self) -> &Model {
        &self.world.model
    }

    fn told(&self, spot: &Spot) -> String {
        let table = &TABLES[spot.table];
        format!("{} {} {}", table.name, spot.record, table.columns[spot.column].name)
    }

    /// Nothing stands anywhere that nobody wrote there.
    fn is_no_invention(&self, table: usize, name: &str, values: &[Option<String>]) -> Result<(), String> {
        let spec = &TABLES[table];
        if spec.is_lasting && !self.model().entered.contains(&(table, name.to_owned())) {
            return Err(format!("{} {name} was entered by nobody", spec.name));
        }
        for (column, value) in values.iter().enumerate() {
            let record = if spec.is_lasting { name.to_owned() } else { String::new() };
            let spot = Spot { table, column, record };
            let Some(value) = value.as_ref().filter(|value| Model::is_followed(&spot, value)) else { continue };
            let is_written = self.model().writes.get(&spot).into_iter().flatten();
            if !is_written.into_iter().any(|write| write.value.as_ref() == Some(value)) {
                return Err(format!("{}: {value} stands there, and nobody wrote it", self.told(&spot)));
            }
        }
        Ok(())
    }

    /// Every committed value is final, or was overwritten or deleted by somebody who had seen it, or is kept.
    fn all_accounted(
        &self,
        spot: &Spot,
        writes: &[Write],
        stands: Option<&BTreeSet<String>>,
        upon: &BTreeMap<&str, Vec<&Write>>,
    ) -> Result<(), String> {
        for write in writes {
            let Some(value) = write.value.as_ref().filter(|value| Model::is_followed(spot, value)) else { continue };
            let is_known = stands.is_some_and(|values| values.contains(value))
                || upon.contains_key(value.as_str())
                || self.model().deleted.contains(&(spot.clone(), value.clone()))
                || self.kept.values.contains(value)
                || self.model().may_be_lost(spot, Some(value));
            if !is_known {
                let who = self.world.name(write.author.node);
                return Err(format!("{}: {value}, written at {who}, is lost: {write:?}", self.told(spot)));
            }
        }
        Ok(())
    }

    /// What stands was overwritten by nobody who had seen it; unless what was written upon it is kept for people to see,
    /// or was deleted.
    fn is_last(
        &self,
        spot: &Spot,
        stands: Option<&BTreeSet<String>>,
        upon: &BTreeMap<&str, Vec<&Write>>,
    ) -> Result<(), String> {
        for value in stands.into_iter().flatten().filter(|value| Model::is_followed(spot, value)) {
            let mut later: Vec<&Write> = upon.get(value.as_str()).cloned().unwrap_or_default();
            let mut at = 0;
            while let Some(write) = later.get(at).copied() {
                later.extend(write.value.as_deref().and_then(|value| upon.get(value)).into_iter().flatten());
                at += 1;
            }
            let is_kept = |value: &str| {
                self.kept.values.contains(value) || self.model().deleted.contains(&(spot.clone(), value.to_owned()))
            };
            // What was lost with its database overwrites nothing.
            later.retain(|write| !self.model().may_be_lost(spot, write.value.as_deref()));
            // A null leaves no name by which it could be found again.
            let is_explained = later.iter().any(|write| write.value.as_deref().is_none_or(is_kept));
            if !later.is_empty() && !is_explained {
                return Err(format!("{}: {value} stands, though it was overwritten: {later:?}", self.told(spot)));
            }
        }
        Ok(())
    }

    /// Of values that were written without knowing of each other, the latest stands, where all clocks are right.
    ///
    /// What was edited several times before the journal was looked at has the time of the last edit, so a write has a
    /// span of time.
    fn newest_wins(
        &self,
        spot: &Spot,
        writes: &[Write],
        stands: Option<&BTreeSet<String>>,
        upon: &BTreeMap<&str, Vec<&Write>>,
    ) -> Result<(), String> {
        let table = &TABLES[spot.table];
        let is_deleted = self.model().gone.contains(&(spot.table, spot.record.clone()));
        let is_held = !self.kept.held.is_empty() || self.model().has_lost(spot);
        if !self.world.plan.has_sane_clocks() || !table.is_lasting || is_deleted || is_held {
            return Ok(());
        }
        if writes.iter().any(|write| write.value.is_none()) || table.columns[spot.column].follow == Follow::No {
            return Ok(());
        }
        let last: Vec<&Write> =
            writes.iter().filter(|write| write.value.as_deref().is_some_and(|v| !upon.contains_key(v))).collect();
        let is_standing = |write: &&&Write| stands.is_some_and(|values| write.value.iter().any(|v| values.contains(v)));
        let Some(standing) = last.iter().find(is_standing) else { return Ok(()) };
        let latest = self.model().latest(spot, standing);
        match last.iter().find(|write| write.author.at_ms > latest) {
            None => Ok(()),
            Some(newer) => Err(format!("{}: {standing:?} stands, though {newer:?} is newer", self.told(spot))),
        }
    }

    /// A value that was written by a clock that is ahead counts, at the latest, from when its central heard of it.
    fn future_gives_way(
        &self,
        spot: &Spot,
        writes: &[Write],
        stands: Option<&BTreeSet<String>>,
        upon: &BTreeMap<&str, Vec<&Write>>,
    ) -> Result<(), String> {
        let offsets = &self.world.plan.clocks_ms;
        let is_simple = |central: &usize| offsets[*central] == 0;
        let has_jumped = *offsets != self.world.offsets_ms;
        let is_deleted = self.model().gone.contains(&(spot.table, spot.record.clone()));
        let is_lasting = TABLES[spot.table].is_lasting;
        if has_jumped || is_deleted || !is_lasting || !self.kept.held.is_empty() || self.model().has_lost(spot) {
            return Ok(());
        }
        // An edit of what a clock ahead wrote is later than that, whoever makes it: only one such write is looked at.
        let of_record = self.model().writes.iter().filter(|(other, _)| other.record == spot.record);
        let ahead = of_record.flat_map(|(_, writes)| writes).filter(|write| offsets[write.author.node] != 0).count();
        let is_last = |write: &&Write| write.value.as_deref().is_some_and(|value| !upon.contains_key(value));
        let last: Vec<&Write> = writes.iter().filter(is_last).collect();
        let is_standing = |write: &&&Write| {
            let value = write.value.as_ref();
            stands.is_some_and(|values| value.is_some_and(|value| values.contains(value)))
        };
        let Some(standing) = last.iter().find(is_standing) else { return Ok(()) };
        let from = standing.author.node;
        if ahead != 1 || offsets[from] <= 0 || from == 0 || !self.world.plan.way_up(from)[1..].iter().all(is_simple) {
            return Ok(());
        }
        let heard = |(node, made, heard): &(usize, i64, i64)| {
            (*node == from && *made > standing.author.true_ms).then_some(*heard)
        };
        let Some(heard) = self.world.arrivals.iter().filter_map(heard).min() else { return Ok(()) };
        match last.iter().find(|write| write.author.at_ms > heard && offsets[write.author.node] == 0) {
            None => Ok(()),
            Some(newer) => Err(format!("{}: {standing:?} stands for its clock, against {newer:?}", self.told(spot))),
        }
    }

    /// A stay that somebody deleted who had seen everything that anybody wrote there is gone everywhere.
    fn deletions_hold(&self) -> Result<(), String> {
        for (table, name) in self.model().gone.iter().filter(|(table, _)| *table == STAY) {
            let of_it = |spot: &Spot| spot.table == *table && spot.record == *name;
            let spots = self.model().writes.iter().filter(|(spot, _)| of_it(spot));
            let is_unsure = self.model().maybe_gone.contains(&(*table, name.clone()))
                || self.model().lost.iter().any(|(spot, _)| of_it(spot));
            let mut writes = spots.flat_map(|(spot, writes)| writes.iter().map(move |write| (spot, write)));
            let is_over = |(spot, write): (&Spot, &Write)| {
                let Some(value) = &write.value else { return false };
                self.model().written_upon(spot).contains_key(value.as_str())
                    || self.model().deleted.contains(&((*spot).clone(), value.clone()))
            };
            let stands = |look: &Look| look.named(STAY, name).is_some();
            // "If a deletion is refused, so are those of the records that refer to it."
            let patient = name.split('/').next().unwrap_or_default().to_owned();
            if is_unsure || self.model().gone.contains(&(PATIENT, patient)) {
                continue;
            }
            if self.kept.held.is_empty() && writes.all(is_over) && self.looks.iter().any(stands) {
                return Err(format!(
                    "the stay {name} stands, though it was deleted by somebody who had seen all of it"
                ));
            }
        }
        Ok(())
    }

    /// Nobody is told of a conflict between a value and one that was written upon it, and of no conflict twice.
    ///
    /// Where a feed is split over several bundles, a column that comes a second time may have been overwritten in
    /// between by somebody who had seen it; and what is held may be overwritten by its own writer, who was told that it
    /// had arrived. A central that went back cannot tell what was decided and what was overwritten since: it shows both.
    fn conflicts_are_true(&self) -> Result<(), String> {
        if self.world.has_a_central_gone_back() {
            return Ok(());
        }
        let mut decided: BTreeMap<&Pair, usize> = BTreeMap::new();
        for (node, pairs) in self.kept.conflicts.iter().enumerate() {
            for pair in pairs.iter().filter(|pair| pair.column.is_some()) {
                let other = decided.insert(pair, node).filter(|other| *other != node);
                if let Some(other) = other.filter(|_| !self.comes_again(pair)) {
                    let (one, other) = (self.world.name(node), self.world.name(other));
                    return Err(format!("{one} and {other} both decided one conflict: {pair:?}"));
                }
                self.is_true(node, pair)?;
            }
        }
        Ok(())
    }

    /// Whether one of two values may have arrived a second time, out of a backup that was put back.
    fn comes_again(&self, pair: &Pair) -> bool {
        if self.world.is_of_twins(pair.winner.1.writer.node) && self.world.is_of_twins(pair.loser.1.writer.node) {
            return true;
        }
        // Of a null, and of a column that is not followed, only who wrote it is known.
        let is_column = |column: &Column| Some(column.name) == pair.column.as_deref() && column.follow == Follow::No;
        let is_unfollowed = TABLES.iter().any(|table| table.name == pair.table && table.columns.iter().any(is_column));
        let mut unfollowed =
            [&pair.winner, &pair.loser].into_iter().filter(|(value, _)| is_unfollowed || value.is_none());
        if unfollowed.any(|(_, version)| self.world.has_gone_back(version.writer.node)) {
            return true;
        }
        let is_of = |value: &Option<String>| [&pair.winner.0, &pair.loser.0].contains(&value);
        let mut writes = self.model().writes.values().flatten();
        writes.any(|write| write.value.is_some() && is_of(&write.value) && self.world.may_come_again(&write.author))
    }

    /// "Where both ends created a record, null or the column's default gives way without a conflict": a conflict with one
    /// of them is one with somebody who wrote it over something else.
    fn default_gave_way(&self, node: usize, pair: &Pair) -> Result<(), String> {
        let (winner, loser) = (pair.winner.0.as_deref(), pair.loser.0.as_deref());
        let word = match (is_default(winner), is_default(loser)) {
            (true, false) => loser,
            (false, true) => winner,
            _ => return Ok(()),
        };
        for (spot, writes) in &self.model().writes {
            let table = &TABLES[spot.table];
            let is_here = table.name == pair.table && Some(table.columns[spot.column].name) == pair.column.as_deref();
            let is_word = |write: &Write| write.value.as_deref() == word;
            // A record that was entered again after it was deleted was edited in every column.
            let is_gone = self.model().gone.contains(&(spot.table, spot.record.clone())) || !table.is_lasting;
            if !is_here || is_gone || !writes.iter().any(is_word) {
                continue;
            }
            if !writes.iter().any(|write| is_default(write.value.as_deref()) && write.seen.is_some()) {
                let (node, spot) = (self.world.name(node), self.told(spot));
                return Err(format!("{node} lists a conflict of {spot} with what nobody wrote: {pair:?}"));
            }
        }
        Ok(())
    }

    fn is_true(&self, node: usize, pair: &Pair) -> Result<(), String> {
        self.default_gave_way(node, pair)?;
        let (Some(winner), Some(loser)) = (&pair.winner.0, &pair.loser.0) else { return Ok(()) };
        if self.world.plan.is_split() || self.world.plan.is_wild || self.comes_again(pair) {
            return Ok(());
        }
        let mut wrong = None;
        for (spot, writes) in &self.model().writes {
            let is_of = |value: &String| writes.iter().any(|write| write.value.as_ref() == Some(value));
            let table = &TABLES[spot.table];
            let is_here = table.name == pair.table && Some(table.columns[spot.column].name) == pair.column.as_deref();
            if !is_here || !is_of(winner) || !is_of(loser) {
                continue;
            }
            if self.model().has_repeated(spot) {
                return Ok(());
            }
            let upon = self.model().written_upon(spot);
            let one_upon_other =
                [(winner, loser), (loser, winner)].into_iter().find(|(one, other)| is_upon(one, other, &upon));
            // References say the same in several records: the pair is of the one in which they were written apart.
            let Some((one, other)) = one_upon_other else { return Ok(()) };
            let (node, spot) = (self.world.name(node), self.told(spot));
            wrong = Some(format!(
                "{node} lists a conflict of {spot}, but {one} was written upon {other}: {pair:?} of {writes:?}"
            ));
        }
        wrong.map_or(Ok(()), Err)
    }
}

/// Whether this is what stands in a column when nobody has said anything.
fn is_default(value: Option<&str>) -> bool {
    matches!(value, None | Some("none"))
}

/// Whether one value was written upon another, directly or not.
fn is_upon(one: &str, other: &str, upon: &BTreeMap<&str, Vec<&Write>>) -> bool {
    let mut later: Vec<&str> = vec![other];
    let mut at = 0;
    while let Some(value) = later.get(at).copied() {
        if value == one {
            return at > 0;
        }
        at += 1;
        later.extend(upon.get(value).into_iter().flatten().filter_map(|write| write.value.as_deref()));
    }
    false
}

//! All uids that a `changes` member names, each once.
//!
//! Those of its records come first, in their order; those only referred to follow, sorted. Uids that share
//! their first 12 bytes with another (as those do that one absorb assigned) form a group: its first uid stands
//! in full, each further one as the step of its last four bytes from the one before. All others are 16 bytes.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::change::Action;
use crate::ids::Uid;
use crate::integers::IntegersV1;
use crate::limits::UIDS_PER_MEMBER_MAX;
use crate::members::ChangesError;
use crate::split::TableSlice;

type Prefix = [u8; 12];

/// The dictionary on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UidsV1 {
    count: u32,
    /// The first uid of each group.
    firsts: Bounded<[u8; 16], UIDS_PER_MEMBER_MAX>,
    /// For each uid: 0, or its group counted from 1.
    groups: IntegersV1<UIDS_PER_MEMBER_MAX>,
    /// For each further uid of a group: its last four bytes (big endian) less those of the one before it there.
    steps: IntegersV1<UIDS_PER_MEMBER_MAX>,
    /// Those of no group.
    plain: Bounded<[u8; 16], UIDS_PER_MEMBER_MAX>,
}

/// The dictionary while a member is written.
#[derive(Debug)]
pub(crate) struct UidIndexes {
    uids: Vec<Uid>,
    indexes: HashMap<Uid, i64>,
}

impl UidIndexes {
    /// Of all that `tables` name.
    pub(crate) fn of(tables: &[TableSlice<'_>]) -> Self {
        let mut known = Self { uids: Vec::new(), indexes: HashMap::new() };
        let records = || tables.iter().flat_map(|table| table.records);
        records().for_each(|record| known.add(record.uid));
        let mut referred = BTreeSet::new();
        for record in records() {
            match &record.action {
                Action::Write { columns, .. } => {
                    referred.extend(columns.iter().filter_map(|column| column.value.target()));
                }
                Action::Delete { same_as, .. } => referred.extend(*same_as),
            }
        }
        referred.into_iter().for_each(|uid| known.add(uid));
        known
    }

    fn add(&mut self, uid: Uid) {
        let next = self.uids.len() as i64;
        if *self.indexes.entry(uid).or_insert(next) == next {
            self.uids.push(uid);
        }
    }

    /// Where `uid` stands.
    ///
    /// # Panics
    /// If the tables that the dictionary was made of do not name it.
    pub(crate) fn index(&self, uid: Uid) -> i64 {
        self.indexes[&uid]
    }

    pub(crate) fn to_wire(&self) -> UidsV1 {
        let mut sharing: HashMap<Prefix, usize> = HashMap::new();
        for uid in &self.uids {
            *sharing.entry(split(*uid).0).or_default() += 1;
        }
        let mut known: HashMap<Prefix, (i64, i64)> = HashMap::new();
        let (mut firsts, mut groups, mut steps, mut plain) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for uid in &self.uids {
            let (prefix, last) = split(*uid);
            if sharing[&prefix] == 1 {
                groups.push(0);
                plain.push(uid.0);
            } else if let Some((group, before)) = known.get_mut(&prefix) {
                groups.push(*group);
                steps.push(last - *before);
                *before = last;
            } else {
                firsts.push(uid.0);
                groups.push(firsts.len() as i64);
                known.insert(prefix, (firsts.len() as i64, last));
            }
        }
        UidsV1 {
            count: self.uids.len() as u32,
            firsts: Bounded(firsts),
            groups: IntegersV1::of(&groups),
            steps: IntegersV1::of(&steps),
            plain: Bounded(plain),
        }
    }
}

impl UidsV1 {
    /// The uids in their order.
    pub(crate) fn read(&self) -> Result<Vec<Uid>, ChangesError> {
        let count = self.count as usize;
        if count > UIDS_PER_MEMBER_MAX {
            return Err(ChangesError::TooMany { what: "uids", limit: UIDS_PER_MEMBER_MAX });
        }
        let groups = self.groups.read_indexes(count, self.firsts.0.len() + 1, "groups of uids")?;
        let plain = groups.iter().filter(|group| **group == 0).count();
        if plain != self.plain.0.len() {
            return Err(ChangesError::Count { what: "uids", expected: plain, found: self.plain.0.len() });
        }
        // Every group has a first uid; a group that none is of leaves a step too few.
        let further = (count - plain).checked_sub(self.firsts.0.len()).ok_or(ChangesError::Uid)?;
        let mut steps = self.steps.read(further, "steps of uids")?.into_iter();
        let mut plain = self.plain.0.iter().copied().map(Uid);
        let mut befores: Vec<Option<Uid>> = vec![None; self.firsts.0.len()];
        let (mut uids, mut seen) = (Vec::with_capacity(count), HashSet::with_capacity(count));
        for group in groups {
            let uid = match group.checked_sub(1) {
                None => plain.next(),
                Some(at) => {
                    let next = match befores[at] {
                        None => Some(Uid(self.firsts.0[at])),
                        Some(before) => steps.next().and_then(|step| stepped(before, step)),
                    };
                    befores[at] = next;
                    next
                }
            };
            let uid = uid.filter(|uid| seen.insert(*uid)).ok_or(ChangesError::Uid)?;
            uids.push(uid);
        }
        match befores.contains(&None) {
            true => Err(ChangesError::Uid),
            false => Ok(uids),
        }
    }
}

fn split(uid: Uid) -> (Prefix, i64) {
    let mut prefix = [0; 12];
    let mut last = [0; 4];
    prefix.copy_from_slice(&uid.0[..12]);
    last.copy_from_slice(&uid.0[12..]);
    (prefix, u32::from_be_bytes(last).into())
}

fn stepped(before: Uid, step: i64) -> Option<Uid> {
    let last = u32::try_from(split(before).1.checked_add(step)?).ok()?;
    let mut uid = before;
    uid.0[12..].copy_from_slice(&last.to_be_bytes());
    Some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    fn dictionary(uids: &[Uid]) -> UidIndexes {
        let mut known = UidIndexes { uids: Vec::new(), indexes: HashMap::new() };
        uids.iter().for_each(|uid| known.add(*uid));
        known
    }

    fn uid(prefix: u8, last: u32) -> Uid {
        let mut uid = [prefix; 16];
        uid[12..].copy_from_slice(&last.to_be_bytes());
        Uid(uid)
    }

    #[test]
    fn they_come_back_in_their_order() {
        let uids = [uid(1, 5), uid(2, 9), uid(1, 4), uid(3, 0), uid(1, u32::MAX), uid(2, 0), uid(9, 7)];
        assert_eq!(dictionary(&uids).to_wire().read().unwrap(), uids);
        assert_eq!(dictionary(&[]).to_wire().read().unwrap(), []);
    }

    #[test]
    fn a_thousand_of_one_absorb_cost_a_few_bytes_and_random_ones_sixteen() {
        let assigned: Vec<Uid> = (0..1000).map(|last| uid(1, last)).collect();
        assert!(encode(&dictionary(&assigned).to_wire()).len() < 30);
        let random: Vec<Uid> = (0..100).map(|last| uid(last as u8, last)).collect();
        assert!(encode(&dictionary(&random).to_wire()).len() < 16 * 100 + 20);
    }

    #[test]
    fn repeats_and_wrong_counts_are_refused() {
        let good = dictionary(&[uid(1, 5), uid(1, 6), uid(2, 1), uid(3, 1)]).to_wire();
        assert!(good.read().is_ok());
        let repeated = UidsV1 { plain: Bounded(vec![[4; 16]; 2]), ..good.clone() };
        assert!(matches!(repeated.read(), Err(ChangesError::Uid)));
        let missing = UidsV1 { plain: Bounded(Vec::new()), ..good.clone() };
        assert!(matches!(missing.read(), Err(ChangesError::Count { .. })));
        let past = UidsV1 { steps: IntegersV1::of(&[i64::from(u32::MAX)]), ..good.clone() };
        assert!(matches!(past.read(), Err(ChangesError::Uid)));
        let unused = UidsV1 { firsts: Bounded(vec![[1; 16], [7; 16]]), ..good.clone() };
        assert!(unused.read().is_err());
        let many = UidsV1 { count: UIDS_PER_MEMBER_MAX as u32 + 1, ..good };
        assert!(matches!(many.read(), Err(ChangesError::TooMany { .. })));
    }
}

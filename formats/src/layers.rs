//! Versions, bases, effective times and places in the feed, each kind together.
//!
//! A layer is what most columns of a record share. Invariant: a layer comes back exactly; writers are
//! named by their place in the member's list.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::change::ColumnChange;
use crate::ids::{Epoch, NodeId, Seq, TimeMs};
use crate::integers::IntegersV1;
use crate::limits::{RECORDS_PER_MEMBER_MAX, VALUES_PER_MEMBER_MAX};
use crate::members::ChangesError;
use crate::version::{Version, Writer};

/// What stands beside a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Layer {
    pub(crate) version: Version,
    pub(crate) base: Option<Version>,
    pub(crate) effective: Option<TimeMs>,
    pub(crate) seq: Seq,
}

impl Layer {
    pub(crate) fn of(column: &ColumnChange) -> Self {
        Self { version: column.version, base: column.base, effective: column.effective, seq: column.seq }
    }
}

/// The writers that a member names, while it is written.
#[derive(Debug, Default)]
pub(crate) struct Writers {
    list: Vec<Writer>,
    numbers: HashMap<Writer, i64>,
}

impl Writers {
    fn number(&mut self, writer: Writer) -> i64 {
        let next = self.list.len() as i64;
        let number = *self.numbers.entry(writer).or_insert(next);
        if number == next {
            self.list.push(writer);
        }
        number
    }

    pub(crate) fn to_wire(&self) -> WritersV1 {
        WritersV1(Bounded(self.list.iter().map(|writer| (writer.node.0, writer.epoch.0)).collect()))
    }
}

/// Node and epoch of each writer. At most two for each value and each record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WritersV1(Bounded<([u8; 16], u64), { 2 * (VALUES_PER_MEMBER_MAX + RECORDS_PER_MEMBER_MAX) }>);

impl WritersV1 {
    pub(crate) fn read(&self) -> Vec<Writer> {
        self.0.0.iter().map(|(node, epoch)| Writer { node: NodeId(*node), epoch: Epoch(*epoch) }).collect()
    }
}

const BASE: i64 = 1;
const EFFECTIVE: i64 = 2;

/// Layers on the wire, at most `MAX`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayersV1<const MAX: usize = RECORDS_PER_MEMBER_MAX> {
    /// Whose version.
    writers: IntegersV1<MAX>,
    /// The version's time, in milliseconds.
    times: IntegersV1<MAX>,
    /// Place in the sender's feed.
    seqs: IntegersV1<MAX>,
    /// 1 where there is a base, 2 where there is an effective time, 3 where both are.
    flags: IntegersV1<MAX>,
    /// Whose base, where there is one.
    base_writers: IntegersV1<MAX>,
    /// How much earlier than the version.
    base_ages: IntegersV1<MAX>,
    /// Effective time less the version's.
    shifts: IntegersV1<MAX>,
}

impl<const MAX: usize> LayersV1<MAX> {
    pub(crate) fn of(layers: &[Layer], writers: &mut Writers) -> Self {
        let each = |number: &dyn Fn(&Layer) -> i64| IntegersV1::of(&layers.iter().map(number).collect::<Vec<_>>());
        let time = |layer: &Layer| layer.version.time.0;
        let numbers: Vec<i64> = layers.iter().map(|layer| writers.number(layer.version.writer)).collect();
        let bases = || layers.iter().filter_map(|layer| layer.base.map(|base| (layer, base)));
        let base_writers: Vec<i64> = bases().map(|(_, base)| writers.number(base.writer)).collect();
        let base_ages: Vec<i64> = bases().map(|(layer, base)| time(layer).wrapping_sub(base.time.0)).collect();
        let shift = |layer: &Layer| layer.effective.map(|effective| effective.0.wrapping_sub(time(layer)));
        let shifts: Vec<i64> = layers.iter().filter_map(shift).collect();
        Self {
            writers: IntegersV1::of(&numbers),
            times: each(&time),
            seqs: each(&|layer| layer.seq.0 as i64),
            flags: each(&|layer| {
                i64::from(layer.base.is_some()) * BASE + i64::from(layer.effective.is_some()) * EFFECTIVE
            }),
            base_writers: IntegersV1::of(&base_writers),
            base_ages: IntegersV1::of(&base_ages),
            shifts: IntegersV1::of(&shifts),
        }
    }

    pub(crate) fn read(&self, count: usize, writers: &[Writer]) -> Result<Vec<Layer>, ChangesError> {
        let flags = self.flags.read_indexes(count, (BASE + EFFECTIVE + 1) as usize, "flags")?;
        let number_with = |flag: i64| flags.iter().filter(|flags| **flags & flag as usize != 0).count();
        let bases = number_with(BASE);
        let by = self.writers.read_indexes(count, writers.len(), "writers")?;
        let times = self.times.read(count, "times")?;
        let seqs = self.seqs.read(count, "seqs")?;
        let base_by = self.base_writers.read_indexes(bases, writers.len(), "writers of bases")?;
        let ages = self.base_ages.read(bases, "ages of bases")?;
        let mut base = base_by.into_iter().zip(ages);
        let mut shift = self.shifts.read(number_with(EFFECTIVE), "effective times")?.into_iter();
        let mut layers = Vec::with_capacity(count);
        for (at, flags) in flags.iter().enumerate() {
            let time = times[at];
            let based = if flags & BASE as usize != 0 { base.next() } else { None };
            let shifted = if flags & EFFECTIVE as usize != 0 { shift.next() } else { None };
            layers.push(Layer {
                version: version(time, writers[by[at]]),
                base: based.map(|(by, age)| version(time.wrapping_sub(age), writers[by])),
                effective: shifted.map(|shift| TimeMs(time.wrapping_add(shift))),
                seq: Seq(seqs[at] as u64),
            });
        }
        Ok(layers)
    }
}

fn version(time: i64, writer: Writer) -> Version {
    Version { time: TimeMs(time), writer }
}

/// Layers of single columns that differ from their record's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExceptionsV1 {
    count: u32,
    /// Which record, counted among those that have a layer.
    records: IntegersV1<VALUES_PER_MEMBER_MAX>,
    /// Which column of the table.
    columns: IntegersV1<VALUES_PER_MEMBER_MAX>,
    layers: LayersV1<VALUES_PER_MEMBER_MAX>,
}

/// One of them: record, column, layer.
pub(crate) type Exception = (usize, u16, Layer);

impl ExceptionsV1 {
    pub(crate) fn of(exceptions: &[Exception], writers: &mut Writers) -> Self {
        let records: Vec<i64> = exceptions.iter().map(|(record, _, _)| *record as i64).collect();
        let columns: Vec<i64> = exceptions.iter().map(|(_, column, _)| i64::from(*column)).collect();
        let layers: Vec<Layer> = exceptions.iter().map(|(_, _, layer)| *layer).collect();
        Self {
            count: exceptions.len() as u32,
            records: IntegersV1::of(&records),
            columns: IntegersV1::of(&columns),
            layers: LayersV1::of(&layers, writers),
        }
    }

    /// How many it claims to be: few bytes can claim many.
    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }

    /// The exceptions, rising by record and column, among so many `records` and `columns`. The caller has
    /// checked how many they claim to be.
    pub(crate) fn read(
        &self,
        records: usize,
        columns: usize,
        writers: &[Writer],
    ) -> Result<Vec<Exception>, ChangesError> {
        let count = self.count();
        let records = self.records.read_indexes(count, records, "records of exceptions")?;
        let columns = self.columns.read_indexes(count, columns, "columns of exceptions")?;
        let layers = self.layers.read(count, writers)?;
        let places = records.into_iter().zip(columns).map(|(record, column)| (record, column as u16));
        let exceptions: Vec<Exception> =
            places.zip(layers).map(|((record, column), layer)| (record, column, layer)).collect();
        match exceptions.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)) {
            true => Ok(exceptions),
            false => Err(ChangesError::Exceptions),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(time: i64, by: u8, seq: u64) -> Layer {
        let writer = Writer { node: NodeId([by; 16]), epoch: Epoch(1) };
        Layer { version: version(time, writer), base: None, effective: None, seq: Seq(seq) }
    }

    #[test]
    fn layers_come_back() {
        let based = Layer { base: Some(layer(i64::MIN, 3, 0).version), ..layer(i64::MAX, 1, u64::MAX) };
        let both = Layer { effective: Some(TimeMs(-1)), ..based };
        let layers = [layer(0, 1, 1), based, both, layer(5, 2, 0)];
        let mut writers = Writers::default();
        let wire: LayersV1 = LayersV1::of(&layers, &mut writers);
        let writers = writers.to_wire().read();
        assert_eq!(writers.len(), 3);
        assert_eq!(wire.read(4, &writers).unwrap(), layers);
        assert!(wire.read(4, &writers[..2]).is_err());
        assert!(wire.read(5, &writers).is_err());
    }

    #[test]
    fn exceptions_must_rise_and_lie_within() {
        let read = |places: &[(usize, u16)]| {
            let exceptions: Vec<Exception> = places.iter().map(|(r, c)| (*r, *c, layer(1, 1, 1))).collect();
            let mut writers = Writers::default();
            let wire = ExceptionsV1::of(&exceptions, &mut writers);
            wire.read(3, 2, &writers.to_wire().read())
        };
        assert!(read(&[(0, 1), (2, 0), (2, 1)]).is_ok());
        assert!(read(&[(2, 0), (0, 1)]).is_err());
        assert!(read(&[(0, 0), (0, 0)]).is_err());
        assert!(read(&[(3, 0)]).is_err());
        assert!(read(&[(0, 2)]).is_err());
    }
}

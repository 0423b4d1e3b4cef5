//! Row states and the last values of tombstones, as they lie in the database.
//!
//! One layer: flags, writer, time, seq, then what the flags name, each a short integer:
//!
//! | flag | then follows |
//! | --- | --- |
//! | 1 | effective time, as difference to the version's |
//! | 2 | source link |
//! | 4 | base: writer, and how much earlier its time is |
//! | 8 | first place in the feed, as how much earlier it is than `seq` |
//! | 16 | origin link |
//! | 32 | the version that it is alike with: writer, and how much earlier its time is |
//!
//! A row state is the version byte 1, the row's layer, and for each column that differs the step from the
//! column before and its layer, whose time and seq are differences to the row's. Writers are numbers of the
//! database's own table of writers. Invariant: one state has one form.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec::{self, CodecError};
use crate::ids::{LinkId, Seq, TimeMs};
use crate::limits::COLUMNS_PER_TABLE_MAX;
use crate::row_state::{ColumnState, RowState};
use crate::short_integers::{put, put_signed, take, take_signed};
use crate::value::Value;
use crate::version::{Version, Writer};

const VERSION: u8 = 1;
const EFFECTIVE: u8 = 1;
const SOURCE: u8 = 2;
const BASE: u8 = 4;
const FIRST: u8 = 8;
const ORIGIN: u8 = 16;
const ALIKE: u8 = 32;

/// Bytes of the database that are no row state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowStateError {
    /// Written by a later saddlebag.
    #[error("the row state has format {version}, and this saddlebag reads format 1")]
    NewerVersion {
        /// The format.
        version: u8,
    },
    /// Cut short, changed, or gone on.
    #[error("the row state is damaged in its {part}")]
    Damaged {
        /// Where.
        part: &'static str,
    },
    /// A number that the table of writers does not hold.
    #[error("the row state names the writer {number}, whom this database does not know")]
    Writer {
        /// The number.
        number: u64,
    },
}

/// The bytes of `state`; `writer_number` gives each writer its number in the database's own table.
///
/// A row whose columns all have one state takes about 12 to 18 bytes.
pub fn encode_row_state(state: &RowState, writer_number: &mut dyn FnMut(Writer) -> u32) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    put_layer(&mut bytes, &state.row, &NOTHING, writer_number);
    let mut next = 0;
    for (column, layer) in &state.columns {
        put(&mut bytes, u64::from(*column) - next);
        next = u64::from(*column) + 1;
        put_layer(&mut bytes, layer, &state.row, writer_number);
    }
    bytes
}

/// The state whose bytes these are; `writer` gives the writer that has a number.
///
/// # Errors
/// If they are not exactly what [`encode_row_state`] makes.
pub fn decode_row_state(bytes: &[u8], writer: &dyn Fn(u32) -> Option<Writer>) -> Result<RowState, RowStateError> {
    let (version, mut rest) = bytes.split_first().ok_or(damaged("version"))?;
    if *version != VERSION {
        return Err(RowStateError::NewerVersion { version: *version });
    }
    let row = take_layer(&mut rest, &NOTHING, writer)?;
    let mut columns = Vec::new();
    let mut next = 0u64;
    while !rest.is_empty() {
        let step = take(&mut rest).ok_or(damaged("column"))?;
        let column = next.checked_add(step).and_then(|c| u16::try_from(c).ok()).ok_or(damaged("column"))?;
        next = u64::from(column) + 1;
        let layer = take_layer(&mut rest, &row, writer)?;
        if layer == row {
            return Err(damaged("column"));
        }
        columns.push((column, layer));
    }
    Ok(RowState { row, columns })
}

/// What the row's own layer is a difference to: nothing.
const NOTHING: ColumnState = ColumnState::new(
    Version { time: TimeMs(0), writer: Writer { node: crate::ids::NodeId([0; 16]), epoch: crate::ids::Epoch(0) } },
    Seq(0),
);

fn put_layer(
    bytes: &mut Vec<u8>,
    layer: &ColumnState,
    origin: &ColumnState,
    writer_number: &mut dyn FnMut(Writer) -> u32,
) {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    bytes.push(
        flag(layer.effective.is_some(), EFFECTIVE)
            | flag(layer.source.is_some(), SOURCE)
            | flag(layer.base.is_some(), BASE)
            | flag(layer.first.is_some(), FIRST)
            | flag(layer.origin.is_some(), ORIGIN)
            | flag(layer.alike.is_some(), ALIKE),
    );
    let time = layer.version.time.0;
    put(bytes, writer_number(layer.version.writer).into());
    put_signed(bytes, time.wrapping_sub(origin.version.time.0));
    put_signed(bytes, layer.seq.0.wrapping_sub(origin.seq.0) as i64);
    if let Some(effective) = layer.effective {
        put_signed(bytes, effective.0.wrapping_sub(time));
    }
    if let Some(source) = layer.source {
        put(bytes, source.0.into());
    }
    let mut put_version = |bytes: &mut Vec<u8>, version: Version| {
        put(bytes, writer_number(version.writer).into());
        put_signed(bytes, time.wrapping_sub(version.time.0));
    };
    if let Some(base) = layer.base {
        put_version(bytes, base);
    }
    if let Some(first) = layer.first {
        put_signed(bytes, layer.seq.0.wrapping_sub(first.0) as i64);
    }
    if let Some(origin) = layer.origin {
        put(bytes, origin.0.into());
    }
    if let Some(alike) = layer.alike {
        put_version(bytes, alike);
    }
}

fn take_layer(
    rest: &mut &[u8],
    origin: &ColumnState,
    writer: &dyn Fn(u32) -> Option<Writer>,
) -> Result<ColumnState, RowStateError> {
    let (flags, after) = rest.split_first().ok_or(damaged("flags"))?;
    *rest = after;
    if flags & !(EFFECTIVE | SOURCE | BASE | FIRST | ORIGIN | ALIKE) != 0 {
        return Err(damaged("flags"));
    }
    let wrote = take_writer(rest, writer)?;
    let time = origin.version.time.0.wrapping_add(take_signed(rest).ok_or(damaged("time"))?);
    let seq = origin.seq.0.wrapping_add(take_signed(rest).ok_or(damaged("seq"))? as u64);
    let mut layer = ColumnState::new(Version { time: TimeMs(time), writer: wrote }, Seq(seq));
    if flags & EFFECTIVE != 0 {
        let shift = take_signed(rest).ok_or(damaged("effective time"))?;
        layer.effective = Some(TimeMs(time.wrapping_add(shift)));
    }
    if flags & SOURCE != 0 {
        layer.source = Some(take_link(rest, "source")?);
    }
    let version = |rest: &mut &[u8], part: &'static str| {
        let wrote = take_writer(rest, writer)?;
        let earlier = take_signed(rest).ok_or(damaged(part))?;
        Ok(Version { time: TimeMs(time.wrapping_sub(earlier)), writer: wrote })
    };
    if flags & BASE != 0 {
        layer.base = Some(version(rest, "base")?);
    }
    if flags & FIRST != 0 {
        let earlier = take_signed(rest).ok_or(damaged("first place"))?;
        layer.first = Some(Seq(seq.wrapping_sub(earlier as u64)));
    }
    if flags & ORIGIN != 0 {
        layer.origin = Some(take_link(rest, "origin")?);
    }
    if flags & ALIKE != 0 {
        layer.alike = Some(version(rest, "version that it is alike with")?);
    }
    Ok(layer)
}

fn take_link(rest: &mut &[u8], part: &'static str) -> Result<LinkId, RowStateError> {
    take(rest).and_then(|link| u32::try_from(link).ok()).map(LinkId).ok_or(damaged(part))
}

fn take_writer(rest: &mut &[u8], writer: &dyn Fn(u32) -> Option<Writer>) -> Result<Writer, RowStateError> {
    let number = take(rest).ok_or(damaged("writer"))?;
    let known = u32::try_from(number).ok().and_then(writer);
    known.ok_or(RowStateError::Writer { number })
}

fn damaged(part: &'static str) -> RowStateError {
    RowStateError::Damaged { part }
}

#[derive(Serialize, Deserialize)]
enum StoredValues {
    V1(Bounded<(u16, Value), COLUMNS_PER_TABLE_MAX>),
}

/// The bytes of the last values of a deleted record, by column id.
///
/// # Panics
/// If there are more columns than [`COLUMNS_PER_TABLE_MAX`], which no table has.
#[must_use]
pub fn encode_values(values: &[(u16, Value)]) -> Vec<u8> {
    assert!(values.len() <= COLUMNS_PER_TABLE_MAX, "no table has so many columns");
    codec::encode(&StoredValues::V1(Bounded(values.to_vec())))
}

/// The values whose bytes these are.
///
/// # Errors
/// If they are not exactly what [`encode_values`] makes.
pub fn decode_values(bytes: &[u8]) -> Result<Vec<(u16, Value)>, CodecError> {
    let StoredValues::V1(values) = codec::decode(bytes)?;
    Ok(values.0)
}

/// The bytes of one value, as they lie in the database.
#[must_use]
pub fn encode_value(value: &Value) -> Vec<u8> {
    encode_values(&[(0, value.clone())])
}

/// The value whose bytes these are.
///
/// # Errors
/// If they are not exactly what [`encode_value`] makes.
pub fn decode_value(bytes: &[u8]) -> Result<Value, RowStateError> {
    match decode_values(bytes).map_err(|_| damaged("value"))?.pop() {
        Some((0, value)) => Ok(value),
        _ => Err(damaged("value")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{Epoch, NodeId};

    fn writer(number: u32) -> Option<Writer> {
        (number < 400).then(|| Writer { node: NodeId([number as u8; 16]), epoch: Epoch(number.into()) })
    }

    fn number(writer: Writer) -> u32 {
        writer.epoch.0 as u32
    }

    fn encode(state: &RowState) -> Vec<u8> {
        encode_row_state(state, &mut number)
    }

    fn version() -> impl Strategy<Value = Version> {
        let time = prop_oneof![Just(0), 1_700_000_000_000..1_900_000_000_000i64, any::<i64>()];
        (time, 0u32..400).prop_map(|(time, by)| Version { time: TimeMs(time), writer: writer(by).unwrap() })
    }

    fn layer() -> impl Strategy<Value = ColumnState> {
        let times = proptest::option::of(any::<i64>().prop_map(TimeMs));
        let links = || proptest::option::of(any::<u32>().prop_map(LinkId));
        let firsts = proptest::option::of(any::<u64>().prop_map(Seq));
        let others = || proptest::option::of(version());
        (version(), times, any::<u64>().prop_map(Seq), firsts, links(), links(), others(), others()).prop_map(
            |(version, effective, seq, first, source, origin, base, alike)| ColumnState {
                version,
                effective,
                seq,
                first,
                source,
                origin,
                base,
                alike,
            },
        )
    }

    fn state() -> impl Strategy<Value = RowState> {
        (layer(), proptest::collection::btree_map(any::<u16>(), layer(), 0..6)).prop_map(|(row, columns)| {
            let columns = columns.into_iter().filter(|(_, layer)| *layer != row).collect();
            RowState { row, columns }
        })
    }

    proptest! {
        #[test]
        fn states_come_back(state in state()) {
            prop_assert_eq!(decode_row_state(&encode(&state), &writer), Ok(state));
        }

        #[test]
        fn any_bytes_decode_to_their_one_state_or_not_at_all(
            state in state(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
        ) {
            let mut bytes = encode(&state);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(1 + cut.index(bytes.len()));
            if let Ok(found) = decode_row_state(&bytes, &writer) {
                prop_assert_eq!(encode(&found), bytes);
            }
        }

        #[test]
        fn noise_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_row_state(&bytes, &writer);
            let _ = decode_values(&bytes);
        }
    }

    #[test]
    fn a_uniform_state_is_short() {
        let at = |time, by| Version { time: TimeMs(time), writer: writer(by).unwrap() };
        let mut row = ColumnState::new(at(1_795_256_100_123, 1), Seq(100_000));
        assert_eq!(encode(&RowState::uniform(row)).len(), 12);
        row.source = Some(LinkId(3));
        row.base = Some(at(1_795_000_000_000, 2));
        assert_eq!(encode(&RowState::uniform(row)).len(), 19);
        row.first = Some(Seq(99_990));
        assert_eq!(encode(&RowState::uniform(row)).len(), 20);
        assert_eq!(encode(&RowState::uniform(row.asserted(None))).len(), 20, "the one or the other");
        assert_eq!(row.asserted(row.source), row, "but for the link that is left out");
    }

    #[test]
    fn other_versions_unknown_writers_and_leftovers_are_refused() {
        let state = RowState::uniform(NOTHING_BY_ONE);
        let bytes = encode(&state);
        let mut newer = bytes.clone();
        newer[0] = 2;
        assert_eq!(decode_row_state(&newer, &writer), Err(RowStateError::NewerVersion { version: 2 }));
        assert_eq!(decode_row_state(&bytes, &|_| None), Err(RowStateError::Writer { number: 1 }));
        assert!(decode_row_state(&[bytes.as_slice(), &[0]].concat(), &writer).is_err());
    }

    const NOTHING_BY_ONE: ColumnState = ColumnState {
        version: Version { time: TimeMs(0), writer: Writer { node: NodeId([1; 16]), epoch: Epoch(1) } },
        ..NOTHING
    };

    #[test]
    fn values_come_back() {
        let values = vec![
            (0, Value::Null),
            (1, Value::Integer(-3)),
            (2, Value::Real(f64::NAN)),
            (3, Value::Text("é".into())),
            (4, Value::Blob(vec![0, 255])),
            (9, Value::RawText(vec![0xff])),
            (10, Value::Reference(crate::ids::Uid([3; 16]))),
            (11, Value::Dangling("17".into())),
            (12, Value::NamedReference("party.party".into(), crate::ids::Uid([4; 16]))),
        ];
        assert_eq!(decode_values(&encode_values(&values)), Ok(values));
    }
}

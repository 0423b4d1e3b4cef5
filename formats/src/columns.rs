//! The values of one column, in the shortest of several forms.
//!
//! A column holds the values of those records that have it, in their order; who they are is known from the
//! shapes. Invariant: a column yields exactly as many values as it is asked for, and no form yields more
//! than the budget allows.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Bytes};
use crate::budget::Budget;
use crate::codec;
use crate::decimals;
use crate::ids::Uid;
use crate::integers::IntegersV1;
use crate::limits::RECORDS_PER_MEMBER_MAX;
use crate::members::ChangesError;
use crate::nulls::NullsV1;
use crate::uids::UidIndexes;
use crate::value::Value;
use crate::wire_value::ValueV1;

type Rows<T> = Bounded<T, RECORDS_PER_MEMBER_MAX>;

/// The forms. New ones are added at the end, in a new version of the member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ColumnV1 {
    /// One by one.
    Mixed(Rows<ValueV1>),
    /// All are this one.
    Same(ValueV1),
    /// The different ones, and for each record which.
    Dictionary(Rows<ValueV1>, IntegersV1),
    /// Whole numbers that are not null.
    Integers(NullsV1, IntegersV1),
    /// Floats that are not null, by their bits, little endian.
    Reals(NullsV1, Rows<[u8; 8]>),
    /// Floats with so many decimals, in units of the last.
    Decimals(NullsV1, u8, IntegersV1),
    /// Texts: their lengths in bytes, and all of them in one.
    Texts(NullsV1, IntegersV1, Bytes),
    /// References, by their place in the dictionary of uids.
    References(NullsV1, IntegersV1),
    /// Text that is the record's own uid, hyphenated and in lower case.
    UidText,
}

impl ColumnV1 {
    /// The shortest form of `values`, each with the uid of its record.
    pub(crate) fn of(values: &[(Uid, &Value)], uids: &UidIndexes) -> Self {
        let Some(((_, first), others)) = values.split_first() else {
            return Self::Mixed(Bounded(Vec::new()));
        };
        if values.iter().all(|(uid, value)| is_uid_text(*uid, value)) {
            return Self::UidText;
        }
        if others.iter().all(|(_, value)| value == first) {
            return Self::Same(ValueV1::of(first, uids));
        }
        let dictionary = dictionary(values, uids);
        let typed = typed(values, uids).unwrap_or_else(|| mixed(values, uids));
        let Some(dictionary) = dictionary else { return typed };
        let shorter = codec::encode(&dictionary).len() < codec::encode(&typed).len();
        if shorter { dictionary } else { typed }
    }

    /// The values for the records `rows`.
    pub(crate) fn read(&self, rows: &[Uid], uids: &[Uid], budget: &mut Budget) -> Result<Vec<Value>, ChangesError> {
        let count = rows.len();
        match self {
            Self::Mixed(values) if values.0.len() == count => {
                values.0.iter().map(|value| value.read(uids, budget)).collect()
            }
            Self::Mixed(values) => Err(ChangesError::Count { what: "values", expected: count, found: values.0.len() }),
            Self::Same(value) => (0..count).map(|_| value.read(uids, budget)).collect(),
            Self::Dictionary(values, which) => {
                let which = which.read_indexes(count, values.0.len(), "dictionary")?;
                which.into_iter().map(|at| values.0[at].read(uids, budget)).collect()
            }
            Self::Integers(nulls, numbers) => with_nulls(nulls, count, |some| {
                Ok(numbers.read(some, "numbers")?.into_iter().map(Value::Integer).collect())
            }),
            Self::Reals(nulls, bits) => with_nulls(nulls, count, |_| Ok(bits.0.iter().map(real).collect())),
            Self::Decimals(nulls, decimals, whole) => {
                with_nulls(nulls, count, |some| read_decimals(*decimals, &whole.read(some, "decimals")?))
            }
            Self::Texts(nulls, lengths, text) => {
                budget.take_bytes(text.0.len())?;
                with_nulls(nulls, count, |some| read_texts(&lengths.read(some, "lengths")?, &text.0))
            }
            Self::References(nulls, indexes) => with_nulls(nulls, count, |some| {
                let indexes = indexes.read_indexes(some, uids.len(), "references")?;
                Ok(indexes.into_iter().map(|at| Value::Reference(uids[at])).collect())
            }),
            Self::UidText => Ok(rows.iter().map(|uid| Value::Text(uid.to_string())).collect()),
        }
    }
}

fn is_uid_text(uid: Uid, value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.len() == 36 && *text == uid.to_string())
}

fn mixed(values: &[(Uid, &Value)], uids: &UidIndexes) -> ColumnV1 {
    ColumnV1::Mixed(Bounded(values.iter().map(|(_, value)| ValueV1::of(value, uids)).collect()))
}

/// Worth trying where values repeat.
fn dictionary(values: &[(Uid, &Value)], uids: &UidIndexes) -> Option<ColumnV1> {
    let mut known: HashMap<Vec<u8>, i64> = HashMap::new();
    let (mut different, mut which) = (Vec::new(), Vec::with_capacity(values.len()));
    for (_, value) in values {
        let mut key = Vec::new();
        value.canonical_bytes(&mut key);
        let next = different.len() as i64;
        let index = *known.entry(key).or_insert(next);
        if index == next {
            different.push(ValueV1::of(value, uids));
        }
        which.push(index);
        if different.len() > values.len() / 2 {
            return None;
        }
    }
    Some(ColumnV1::Dictionary(Bounded(different), IntegersV1::of(&which)))
}

/// The form for values of one kind, nulls aside.
fn typed(values: &[(Uid, &Value)], uids: &UidIndexes) -> Option<ColumnV1> {
    let is_null: Vec<bool> = values.iter().map(|(_, value)| value.is_null()).collect();
    let nulls = NullsV1::of(&is_null);
    let some: Vec<&Value> = values.iter().map(|(_, value)| *value).filter(|value| !value.is_null()).collect();
    match some.first()? {
        Value::Integer(_) => {
            let numbers = all(&some, |value| if let Value::Integer(n) = value { Some(*n) } else { None })?;
            Some(ColumnV1::Integers(nulls, IntegersV1::of(&numbers)))
        }
        Value::Real(_) => {
            let numbers = all(&some, |value| if let Value::Real(n) = value { Some(*n) } else { None })?;
            Some(reals(nulls, &numbers))
        }
        Value::Text(_) => {
            let texts = all(&some, |value| if let Value::Text(t) = value { Some(t.as_str()) } else { None })?;
            let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
            Some(ColumnV1::Texts(nulls, IntegersV1::of(&lengths), Bytes(texts.concat().into_bytes())))
        }
        Value::Reference(_) => {
            let known = |value: &_| if let Value::Reference(uid) = value { Some(uids.index(*uid)) } else { None };
            Some(ColumnV1::References(nulls, IntegersV1::of(&all(&some, known)?)))
        }
        Value::Null | Value::Blob(_) | Value::RawText(_) | Value::Dangling(_) | Value::NamedReference(..) => None,
    }
}

fn all<'a, T>(values: &[&'a Value], take: impl Fn(&'a Value) -> Option<T>) -> Option<Vec<T>> {
    values.iter().map(|value| take(value)).collect()
}

fn reals(nulls: NullsV1, numbers: &[f64]) -> ColumnV1 {
    match decimals::of(numbers) {
        Some((decimals, whole)) => ColumnV1::Decimals(nulls, decimals, IntegersV1::of(&whole)),
        None => {
            let bits = numbers.iter().map(|number| number.to_bits().to_le_bytes()).collect();
            ColumnV1::Reals(nulls, Bounded(bits))
        }
    }
}

fn real(bits: &[u8; 8]) -> Value {
    Value::Real(f64::from_bits(u64::from_le_bytes(*bits)))
}

fn read_decimals(decimals: u8, whole: &[i64]) -> Result<Vec<Value>, ChangesError> {
    let number = |whole: &i64| decimals::read(*whole, decimals).map(Value::Real);
    let numbers: Option<Vec<Value>> = whole.iter().map(number).collect();
    numbers.ok_or(ChangesError::Index { what: "decimals", number: decimals.into() })
}

fn read_texts(lengths: &[i64], text: &[u8]) -> Result<Vec<Value>, ChangesError> {
    let mut rest = std::str::from_utf8(text).map_err(|_| ChangesError::Text)?;
    let mut values = Vec::with_capacity(lengths.len());
    for length in lengths {
        let at = usize::try_from(*length).map_err(|_| ChangesError::Text)?;
        let (one, after) = rest.split_at_checked(at).ok_or(ChangesError::Text)?;
        values.push(Value::Text(one.to_owned()));
        rest = after;
    }
    if rest.is_empty() { Ok(values) } else { Err(ChangesError::Text) }
}

/// Puts nulls where they belong among the values that `some` makes, which must be exactly the others.
fn with_nulls(
    nulls: &NullsV1,
    count: usize,
    some: impl FnOnce(usize) -> Result<Vec<Value>, ChangesError>,
) -> Result<Vec<Value>, ChangesError> {
    let nulls = nulls.read(count)?;
    let expected = nulls.iter().filter(|null| !**null).count();
    let values = some(expected)?;
    let found = values.len();
    if found != expected {
        return Err(ChangesError::Count { what: "values", expected, found });
    }
    let mut values = values.into_iter();
    let one = |null| if null { Some(Value::Null) } else { values.next() };
    nulls.into_iter().map(one).collect::<Option<_>>().ok_or(ChangesError::Nulls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(values: &[Value]) -> ColumnV1 {
        let rows: Vec<(Uid, &Value)> = values.iter().map(|value| (Uid([1; 16]), value)).collect();
        let column = ColumnV1::of(&rows, &UidIndexes::of(&[]));
        let uids: Vec<Uid> = rows.iter().map(|(uid, _)| *uid).collect();
        assert_eq!(column.read(&uids, &[], &mut Budget::member()).unwrap(), values);
        for other in [&uids[1..], &[uids.as_slice(), &uids[..1]].concat()] {
            let counted = matches!(column, ColumnV1::Mixed(_) | ColumnV1::Reals(..) | ColumnV1::Dictionary(..));
            assert!(!counted || column.read(other, &[], &mut Budget::member()).is_err());
        }
        column
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn each_kind_has_its_form() {
        let null = Value::Null;
        assert!(matches!(form(&[text("a"), text("a")]), ColumnV1::Same(_)));
        assert!(matches!(form(&[Value::Integer(3), null.clone()]), ColumnV1::Integers(..)));
        assert!(matches!(form(&[Value::Real(36.6), null.clone()]), ColumnV1::Decimals(..)));
        assert!(matches!(form(&[Value::Real(1.0 / 3.0), Value::Real(-0.0)]), ColumnV1::Reals(..)));
        assert!(matches!(form(&[text("é"), null, text("")]), ColumnV1::Texts(..)));
        assert!(matches!(form(&[text("a"), Value::Integer(1)]), ColumnV1::Mixed(_)));
        assert!(matches!(form(&[Value::Blob(vec![1]), Value::Blob(vec![2])]), ColumnV1::Mixed(_)));
        let long = |letter: &str| text(&letter.repeat(30));
        let repeating: Vec<Value> = (0..20).map(|n| long(if n % 3 == 0 { "a" } else { "b" })).collect();
        assert!(matches!(form(&repeating), ColumnV1::Dictionary(..)));
        let own = text(&Uid([1; 16]).to_string());
        assert!(matches!(form(&[own.clone(), own]), ColumnV1::UidText));
    }

    #[test]
    fn a_few_bytes_that_stand_for_too_many_are_refused() {
        let big = ColumnV1::Same(ValueV1::Text("x".repeat(1 << 20)));
        let read = |count| big.read(&vec![Uid([0; 16]); count], &[], &mut Budget::member());
        assert!(read(64).is_ok());
        assert!(matches!(read(65), Err(ChangesError::TooMany { .. })));
    }

    #[test]
    fn texts_are_cut_between_characters_only() {
        let texts = |lengths: &[i64]| {
            let column = ColumnV1::Texts(NullsV1::None, IntegersV1::of(lengths), Bytes("éa".into()));
            column.read(&vec![Uid([0; 16]); lengths.len()], &[], &mut Budget::member())
        };
        assert!(texts(&[2, 1]).is_ok());
        for wrong in [&[1, 2][..], &[2], &[2, 2], &[3, -1], &[i64::MAX]] {
            assert!(matches!(texts(wrong), Err(ChangesError::Text)), "{wrong:?}");
        }
    }
}

//! How records get their uid.
//!
//! Invariant: what two places would call the same record gives the same uid on every engine; what they
//! would not, never does.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ambient::Entropy;
use crate::ids::{NodeId, Uid};
use crate::value::Value;

/// The namespace of saddlebag's UUIDv5 names (RFC 9562, 5.5), drawn once and fixed for ever.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x7d1f_86a2_5c0e_4b39_9a64_e2f0_31c8_d75b);

/// What kind of name stands in the namespace; its first byte.
const OPAQUE: u8 = b'u';
const NATURAL: u8 = b'n';
const QUERIED: u8 = b'q';
const COPIED: u8 = b'c';

/// The uid of a row of `table` whose identity is `uuid(column)`, with `text` in that column.
///
/// A lower-case canonical UUID *is* the uid. Anything else is a name: UUIDv5 of `u`, table and text.
///
/// ```
/// use saddlebag_formats::identity::from_uuid_column;
/// let text = "0190f3b0-5c0e-7b39-9a64-e2f031c8d75b";
/// assert_eq!(from_uuid_column("person", text).to_string(), text);
/// assert_ne!(from_uuid_column("person", &text.to_uppercase()).to_string(), text);
/// ```
#[must_use]
pub fn from_uuid_column(table: &str, text: &str) -> Uid {
    text.parse().unwrap_or_else(|_| {
        let mut name = vec![OPAQUE];
        push(&mut name, table.as_bytes());
        push(&mut name, text.as_bytes());
        named(&name)
    })
}

/// The uid of a row of `table` whose identity is `natural(columns)`, with `parts` in those columns; none if
/// a part is null, or refers to no record.
///
/// UUIDv5 of `n`, the table by its configured name, and each part: a kind, a length, and the content. Plain
/// values have kind `v` and stand as text, so that `5` is the same whether an engine stores it as a number
/// or as text; bytes have kind `b`, references kind `r` and the uid of their target.
#[must_use]
pub fn natural(table: &str, parts: &[Value]) -> Option<Uid> {
    let mut name = vec![NATURAL];
    push(&mut name, table.as_bytes());
    for part in parts {
        let (kind, content) = match part {
            Value::Null | Value::Dangling(_) => return None,
            Value::Integer(number) => (b'v', number.to_string().into_bytes()),
            // Display of `f64` is the shortest text that reads back as the same number, without exponent.
            Value::Real(number) => (b'v', number.to_string().into_bytes()),
            Value::Text(text) => (b'v', text.clone().into_bytes()),
            Value::RawText(bytes) => (b'v', bytes.clone()),
            Value::Blob(bytes) => (b'b', bytes.clone()),
            Value::Reference(uid) => (b'r', uid.0.to_vec()),
            Value::NamedReference(table, uid) => (b't', [&uid.0, table.as_bytes()].concat()),
        };
        name.push(kind);
        push(&mut name, &content);
    }
    Some(named(&name))
}

/// The uid of a row of `table` to which a query gives `name`: UUIDv5 of `q`, table and name.
#[must_use]
pub fn from_name(table: &str, name: &str) -> Uid {
    let mut bytes = vec![QUERIED];
    push(&mut bytes, table.as_bytes());
    push(&mut bytes, name.as_bytes());
    named(&bytes)
}

/// The uid of a row of `table` in a database that began as a copy of another: UUIDv5 of `c`, table, the values of its
/// key, and name and [canonical bytes](Value::canonical_bytes) of each column that is not null, in the order of the
/// bytes of their names; all values as this database has them.
#[must_use]
pub fn from_contents(table: &str, key: &[Value], columns: &[(&str, &Value)]) -> Uid {
    let mut bytes = vec![COPIED];
    push(&mut bytes, table.as_bytes());
    key.iter().for_each(|part| part.canonical_bytes(&mut bytes));
    let mut columns: Vec<_> = columns.iter().filter(|(_, value)| !value.is_null()).collect();
    columns.sort_by_key(|(name, _)| *name);
    for (name, value) in columns {
        push(&mut bytes, name.as_bytes());
        value.canonical_bytes(&mut bytes);
    }
    named(&bytes)
}

fn push(name: &mut Vec<u8>, content: &[u8]) {
    name.extend_from_slice(&(content.len() as u64).to_le_bytes());
    name.extend_from_slice(content);
}

fn named(name: &[u8]) -> Uid {
    Uid(Uuid::new_v5(&NAMESPACE, name).into_bytes())
}

/// Bits of the counter in an assigned uid.
const COUNTER_BITS: u32 = 34;

/// Gives new records their uids: UUIDv8 (RFC 9562, 5.8), so laid out that those of one absorb share their
/// first 12 bytes and count up:
///
/// | bits | what |
/// | --- | --- |
/// | 0–47 | the first 6 bytes of SHA-256 of the node's id |
/// | 48–51 | version, 8 |
/// | 52–63 | random, upper 12 of 40 bits |
/// | 64–65 | variant, binary 10 |
/// | 66–93 | random, lower 28 bits |
/// | 94–127 | counter, 34 bits, from 0 |
#[derive(Debug)]
pub struct AssignedUids {
    node: [u8; 6],
    random: u64,
    counter: u64,
}

impl AssignedUids {
    /// For one absorb at `node`: 40 bits are drawn, so that a restored database never gives the same again.
    #[must_use]
    pub fn new(node: NodeId, entropy: &mut dyn Entropy) -> Self {
        let digest = Sha256::digest(node.0);
        let mut prefix = [0; 6];
        prefix.copy_from_slice(&digest[..6]);
        let mut random = [0; 8];
        entropy.fill(&mut random[..5]);
        Self { node: prefix, random: u64::from_le_bytes(random), counter: 0 }
    }

    /// The next uid.
    ///
    /// # Panics
    /// After 2^34 of them, more than one transaction can hold.
    #[must_use]
    pub fn next_uid(&mut self) -> Uid {
        assert!(self.counter < 1 << COUNTER_BITS, "no absorb sees 2^34 new records");
        let upper = 0x8000 | (self.random >> 28) as u16;
        let lower = 1 << 63 | (self.random & ((1 << 28) - 1)) << COUNTER_BITS | self.counter;
        self.counter += 1;
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&self.node);
        bytes[6..8].copy_from_slice(&upper.to_be_bytes());
        bytes[8..].copy_from_slice(&lower.to_be_bytes());
        Uid(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn numbers_and_their_text_are_one_key() {
        assert_eq!(natural("t", &[Value::Integer(5)]), natural("t", &[text("5")]));
        assert_eq!(natural("t", &[Value::Real(5.0)]), natural("t", &[text("5")]));
        assert_eq!(natural("t", &[Value::Real(0.1)]), natural("t", &[text("0.1")]));
        assert_ne!(natural("t", &[text("5")]), natural("t", &[text("05")]));
        assert_ne!(natural("t", &[text("5")]), natural("t", &[text("5 ")]));
    }

    #[test]
    fn borders_kinds_and_tables_tell_keys_apart() {
        assert_ne!(natural("t", &[text("ab"), text("c")]), natural("t", &[text("a"), text("bc")]));
        assert_ne!(natural("t", &[text("a")]), natural("u", &[text("a")]));
        assert_ne!(natural("t", &[text("a")]), natural("t", &[Value::Blob(b"a".to_vec())]));
        let uid = Uid(*b"0123456789abcdef");
        assert_ne!(natural("t", &[Value::Reference(uid)]), natural("t", &[text("0123456789abcdef")]));
        assert_ne!(natural("t", &[text("a")]), Some(from_uuid_column("t", "a")));
    }

    #[test]
    fn a_key_with_a_null_part_is_none() {
        assert_eq!(natural("t", &[text("a"), Value::Null]), None);
        assert_eq!(natural("t", &[Value::Dangling("7".into())]), None);
    }

    #[test]
    fn opaque_texts_are_names_within_their_table() {
        assert_ne!(from_uuid_column("a", "x"), from_uuid_column("b", "x"));
        let uid = from_uuid_column("a", "1296AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::from_bytes(uid.0).get_version_num(), 5);
    }

    /// Uids lie in databases: these must never change.
    #[test]
    fn derivations_are_fixed() {
        assert_eq!(from_uuid_column("person", "X1").to_string(), "e0bb3b09-039f-5cab-9c98-210d0dffd222");
        assert_eq!(natural("party", &[text("GNU777ORG")]).unwrap().to_string(), "a2ca135b-b5e0-5c02-8906-994d0c9e8974");
        assert_eq!(from_name("occupation", "health.occ1").to_string(), "757a2cad-ef46-59ff-aa11-3979147b3ee2");
        let columns = [("b", &Value::Integer(2)), ("a", &text("x")), ("c", &Value::Null)];
        assert_eq!(
            from_contents("note", &[Value::Integer(7)], &columns).to_string(),
            "9d89a2a6-a471-5209-9da2-019328e26afb"
        );
        assert_eq!(
            from_contents("note", &[Value::Integer(7)], &columns[..2]).to_string(),
            "9d89a2a6-a471-5209-9da2-019328e26afb"
        );
    }

    #[test]
    fn assigned_uids_are_as_documented() {
        let mut uids = AssignedUids::new(NodeId([1; 16]), &mut Fixed(0xff));
        let (first, second) = (uids.next_uid(), uids.next_uid());
        let node = hex::encode(&Sha256::digest([1; 16])[..6]);
        assert_eq!(hex::encode(first.0), format!("{node}8fffbffffffc00000000"));
        assert_eq!(hex::encode(second.0), format!("{node}8fffbffffffc00000001"));
        let id = Uuid::from_bytes(first.0);
        assert_eq!((id.get_version_num(), id.get_variant()), (8, uuid::Variant::RFC4122));
        let other = AssignedUids::new(NodeId([1; 16]), &mut Fixed(0)).next_uid();
        assert_eq!(hex::encode(other.0), format!("{node}80008000000000000000"));
    }

    #[test]
    #[should_panic(expected = "no absorb sees 2^34")]
    fn the_counter_does_not_run_over() {
        let mut uids = AssignedUids { node: [0; 6], random: 0, counter: (1 << 34) - 1 };
        let _last = uids.next_uid();
        let _past = uids.next_uid();
    }
}

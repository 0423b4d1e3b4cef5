//! Values between PostgreSQL and the formats: one kind for each way that a column's values are read and written.
//! `docs/values.md` has the table.
//!
//! Invariant: within a column, two values that the database tells apart by their text never become one
//! ([`Kind::from_text`] is injective), and what was read goes back as exactly what it was ([`Kind::to_text`]). The text
//! forms are those of the settings in `connect/session.rs`.

mod change;
mod copy;
mod declared;
mod inside;
mod interval;
mod kind;
#[cfg(test)]
mod live;
mod moment;
mod number;
#[cfg(test)]
mod properties;
mod read;
mod single;
mod write;

pub(super) use copy::copy_text;
pub(super) use declared::cast_type;
use moment::MomentType;
pub(super) use read::AnyText;

/// How the values of a column are read and written, by its declared type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// `smallint`, `integer`, `bigint`: from `least` to `most`.
    Integer { least: i64, most: i64 },
    /// `oid`: whole numbers of 32 bits without a sign.
    Oid,
    /// `real`.
    Single,
    /// `double precision`.
    Double,
    /// `numeric`; with digits after the point if they were declared (fewer than none round before the point).
    Numeric { scale: Option<i32> },
    /// `money`: as many digits after the point as the server's currency has.
    Money,
    /// `boolean`.
    Boolean,
    /// `bytea`.
    Bytes,
    /// `text`, and `character varying` of so many characters at most.
    Text { most: Option<usize> },
    /// `character(n)`: filled up with blanks, which count for nothing.
    Padded { most: Option<usize> },
    /// `name`: cut after 63 bytes.
    Name,
    /// `"char"`: one byte.
    OneByte,
    /// `date`, `time`, `timestamp`, with digits of a second if they were declared.
    Moment { of: MomentType, digits: usize },
    /// `interval`.
    Interval,
    /// `uuid`.
    Uuid,
    /// `inet`.
    Inet,
    /// `cidr`, `macaddr`, `macaddr8`: text alone makes sense in them.
    Address,
    /// `bit`, `bit varying`.
    Bits,
    /// `json`, which keeps its text, and `jsonb`, which does not.
    Json { keeps_text: bool },
    /// Arrays and ranges of dates and times, which must not be misread inside either.
    Inside(Box<Kind>),
    /// Everything else: enums, arrays, ranges, geometry, the types of extensions. Their text is the database's matter.
    Other,
}

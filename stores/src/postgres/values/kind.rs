//! The kind of a column, and what to select of it.

use super::Kind;
use super::declared::{Declared, parse};
use super::moment::{MomentType, SECOND_DIGITS};

/// Ranges over dates and times, with what they hold.
const MOMENT_RANGES: [(&str, MomentType); 6] = [
    ("daterange", MomentType::Date),
    ("datemultirange", MomentType::Date),
    ("tsrange", MomentType::Timestamp),
    ("tsmultirange", MomentType::Timestamp),
    ("tstzrange", MomentType::TimestampTz),
    ("tstzmultirange", MomentType::TimestampTz),
];

impl Kind {
    /// The kind of a column of this declared type, as `format_type` writes it.
    pub(in crate::postgres) fn of(declared_type: &str) -> Kind {
        let declared = parse(declared_type);
        let kind = Self::of_element(&declared);
        if !declared.is_array {
            return kind;
        }
        match kind {
            Kind::Moment { .. } | Kind::Interval => Kind::Inside(Box::new(kind)),
            Kind::Inside(_) => kind,
            _ => Kind::Other,
        }
    }

    fn of_element(declared: &Declared) -> Kind {
        let first = declared.modifiers.first().copied();
        let length = first.and_then(|length| usize::try_from(length).ok());
        let moment = |of| Kind::Moment { of, digits: length.unwrap_or(SECOND_DIGITS).min(SECOND_DIGITS) };
        match declared.name.as_str() {
            "smallint" => Kind::Integer { least: i16::MIN.into(), most: i16::MAX.into() },
            "integer" => Kind::Integer { least: i32::MIN.into(), most: i32::MAX.into() },
            "bigint" => Kind::Integer { least: i64::MIN, most: i64::MAX },
            "oid" => Kind::Oid,
            "real" => Kind::Single,
            "double precision" => Kind::Double,
            "numeric" => Kind::Numeric { scale: first.map(|_| declared.modifiers.get(1).copied().unwrap_or(0)) },
            "money" => Kind::Money,
            "boolean" => Kind::Boolean,
            "bytea" => Kind::Bytes,
            "text" => Kind::Text { most: None },
            "character varying" => Kind::Text { most: length },
            "character" | "bpchar" => Kind::Padded { most: length },
            "name" => Kind::Name,
            "\"char\"" => Kind::OneByte,
            "date" => moment(MomentType::Date),
            "time without time zone" => moment(MomentType::Time),
            "time with time zone" => moment(MomentType::TimeTz),
            "timestamp without time zone" => moment(MomentType::Timestamp),
            "timestamp with time zone" => moment(MomentType::TimestampTz),
            "uuid" => Kind::Uuid,
            "inet" => Kind::Inet,
            "cidr" | "macaddr" | "macaddr8" => Kind::Address,
            "bit" | "\"bit\"" | "bit varying" => Kind::Bits,
            "json" => Kind::Json { keeps_text: true },
            "jsonb" => Kind::Json { keeps_text: false },
            name if name == "interval" || name.starts_with("interval ") => Kind::Interval,
            name => match MOMENT_RANGES.iter().find(|(range, _)| *range == name) {
                Some((_, of)) => Kind::Inside(Box::new(Kind::Moment { of: *of, digits: SECOND_DIGITS })),
                None => Kind::Other,
            },
        }
    }

    /// Whether it is `smallint`, `integer` or `bigint`: all values are integers.
    pub(in crate::postgres) fn is_integer(&self) -> bool {
        matches!(self, Kind::Integer { .. })
    }

    /// Whether the database may refuse a text that [`Kind::to_text`] lets through.
    pub(in crate::postgres) fn is_read_by_the_database(&self) -> bool {
        let is_judged_here =
            matches!(self, Kind::Integer { .. } | Kind::Oid | Kind::Boolean | Kind::Bytes | Kind::Uuid);
        !is_judged_here && !matches!(self, Kind::Single | Kind::Double)
    }

    /// Whether it is a type of text: `text`, `character varying`, `character`, `name`.
    pub(in crate::postgres) fn is_text(&self) -> bool {
        matches!(self, Kind::Text { .. } | Kind::Padded { .. } | Kind::Name)
    }

    /// What to select of a column, given as an expression like `t."x"`, for [`Kind::read`].
    pub(in crate::postgres) fn select(&self, expression: &str) -> String {
        match self {
            Kind::Integer { .. } | Kind::Single | Kind::Double | Kind::Boolean | Kind::Bytes => expression.to_owned(),
            Kind::Text { .. } | Kind::Padded { .. } | Kind::Name => expression.to_owned(),
            Kind::Oid => format!("({expression})::bigint"),
            _ => self.select_text(expression),
        }
    }

    /// The text form of a column, given as an expression, as [`Kind::from_text`] takes it and [`Kind::to_text`] gives
    /// it: `::text`, but for money.
    pub(in crate::postgres) fn select_text(&self, expression: &str) -> String {
        match self {
            Kind::Money => format!("({expression})::numeric::text"),
            _ => format!("({expression})::text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_type() {
        let moment = |of, digits| Kind::Moment { of, digits };
        for (declared, expected) in [
            ("smallint", Kind::Integer { least: -32_768, most: 32_767 }),
            ("character varying(30)", Kind::Text { most: Some(30) }),
            ("character varying", Kind::Text { most: None }),
            ("character(36)", Kind::Padded { most: Some(36) }),
            ("bpchar", Kind::Padded { most: None }),
            ("numeric", Kind::Numeric { scale: None }),
            ("numeric(10,2)", Kind::Numeric { scale: Some(2) }),
            ("numeric(3,-2)", Kind::Numeric { scale: Some(-2) }),
            ("timestamp(0) without time zone", moment(MomentType::Timestamp, 0)),
            ("timestamp with time zone", moment(MomentType::TimestampTz, 6)),
            ("interval day to second(3)", Kind::Interval),
            ("bit varying(5)", Kind::Bits),
            ("date[]", Kind::Inside(Box::new(moment(MomentType::Date, 6)))),
            ("tstzrange[]", Kind::Inside(Box::new(moment(MomentType::TimestampTz, 6)))),
            ("integer[]", Kind::Other),
            ("\"date\"", Kind::Other),
            ("interval_kind", Kind::Other),
            ("\"My Enum\"", Kind::Other),
        ] {
            assert_eq!(Kind::of(declared), expected, "{declared}");
        }
    }
}

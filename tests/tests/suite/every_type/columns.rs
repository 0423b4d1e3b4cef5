//! A column of every type, with the values at its edges, as literals; and random ones between them.

use saddlebag_tests::fleet::TestEntropy;

/// Types that the tests' schema makes itself.
pub(super) const OWN_TYPES: &str = "CREATE TYPE mood AS ENUM ('sad', 'so, so', 'it''s \"fine\"', 'ä');
    CREATE TYPE pair AS (a integer, b text);
    CREATE DOMAIN amount AS numeric(10, 2) CHECK (VALUE > -1000);
    CREATE DOMAIN label AS character varying(8) DEFAULT 'none';
    CREATE DOMAIN days AS date[];";

/// PostgreSQL's type, what an application on SQLite calls such a column, and literals with `¦` between.
pub(super) const COLUMNS: [(&str, &str, &str); 60] = [
    ("smallint", "SMALLINT", "-32768¦-1¦0¦32767"),
    ("integer", "INTEGER", "-2147483648¦0¦2147483647"),
    ("bigint", "BIGINT", "-9223372036854775808¦9007199254740993¦9223372036854775807"),
    ("oid", "INTEGER", "0¦2147483648¦4294967295"),
    ("real", "REAL", "NaN¦0¦Infinity¦-Infinity¦-0¦0.1¦1e-45¦3.4028235e38¦16777216"),
    (
        "double precision",
        "DOUBLE",
        "NaN¦0¦Infinity¦-Infinity¦-0¦0.1¦5e-324¦2.2250738585072011e-308¦1.7976931348623157e308¦0.30000000000000004¦1e22¦5",
    ),
    (
        "numeric",
        "NUMERIC",
        "NaN¦0¦0.0¦0.10¦0.1¦5¦5.0¦9223372036854775808¦1e40¦1e-40¦-12345678901234567890.123456789012345678900¦0.30000000000000004",
    ),
    ("numeric(12,3)", "DECIMAL(12,3)", "NaN¦0¦5¦-5.100¦0.001¦999999999.999¦-0.125"),
    ("numeric(10,0)", "DECIMAL(10)", "0¦-9999999999¦7"),
    ("money", "DECIMAL(19,2)", "0¦-1000.50¦92233720368547758.07¦12.30"),
    ("boolean", "BOOLEAN", "true¦false"),
    ("bytea", "BLOB", "¦\\x00¦\\x00ff5c27¦\\x6e756c6c"),
    ("text", "TEXT", "¦ ¦a␉b␍␊\\N¦\\.¦NULL¦'\"\\¦ä€😀́¦1.0¦007¦ 5 "),
    ("character varying", "VARCHAR", "ab   ¦1e3"),
    ("character varying(5)", "VARCHAR(5)", "¦ab   ¦äöü€😀¦12345"),
    ("character(5)", "CHAR(5)", "¦ab¦äöü€😀¦ a¦a␊b¦123"),
    ("bpchar", "CHAR", "ab¦¦7"),
    ("name", "TEXT", "My Table¦ä"),
    ("\"char\"", "CHAR(1)", "a¦¦\\¦5"),
    (
        "date",
        "DATE",
        "2024-02-29¦0001-12-31 BC¦0044-03-15 BC¦4714-11-24 BC¦10000-01-01¦5874897-12-31¦infinity¦-infinity¦1582-10-10",
    ),
    ("time", "TIME", "00:00:00¦24:00:00¦23:59:59.999999¦10:00:00.5"),
    ("time(0)", "TIME", "00:00:00¦23:59:59"),
    ("time with time zone", "TIME", "00:00:00+00¦24:00:00-15:59:59¦10:00:00.123456+05:30¦10:00:00-00:30:15"),
    (
        "timestamp",
        "DATETIME",
        "2024-05-06 10:00:00.123456¦2024-05-06 10:00:00.1¦4714-11-24 00:00:00 BC¦0044-03-15 12:00:00.000001 BC¦294276-12-31 23:59:59.999999¦infinity¦-infinity¦12024-01-01 00:00:00",
    ),
    ("timestamp(0)", "DATETIME", "2024-05-06 10:00:00¦infinity"),
    (
        "timestamp with time zone",
        "TIMESTAMP",
        "2024-05-06 10:00:00+00¦2024-05-06 10:00:00.123456+05:30¦4714-11-24 00:00:00+00 BC¦294276-12-31 23:59:59.999999+00¦infinity¦-infinity¦1900-01-01 00:00:00+00:19:32",
    ),
    (
        "interval",
        "TEXT",
        "0¦1 day¦24:00:00¦1 mon¦30 days¦-1 years +2 mons -3 days +04:05:06.789¦178000000 years¦-00:00:00.000001¦2562047788:00:54.775807",
    ),
    ("interval day to second(3)", "TEXT", "1 day 01:02:03.456¦-1 day"),
    (
        "uuid",
        "CHAR(36)",
        "0f8fad5b-d9cb-469f-a165-70867728950e¦00000000-0000-0000-0000-000000000000¦{0F8FAD5BD9CB469FA16570867728950D}",
    ),
    ("inet", "TEXT", "10.0.0.1¦10.0.0.1/24¦0.0.0.0/0¦::1¦::1/64¦::ffff:1.2.3.4"),
    ("cidr", "TEXT", "10.0.0.0/8¦10.0.0.1/32¦::/0"),
    ("macaddr", "TEXT", "08:00:2b:01:02:03"),
    ("macaddr8", "TEXT", "08:00:2b:01:02:03:04:05"),
    ("bit(8)", "TEXT", "00000000¦10110011"),
    ("bit varying(12)", "TEXT", "¦0¦101100"),
    ("json", "JSON", "{\"b\": 1,  \"a\":1.0, \"a\":2}¦null¦\"\\u0000\"¦5¦1e400¦ [1] "),
    ("jsonb", "JSON", "{\"b\":1,\"a\":1.0}¦null¦123456789012345678901234567890.10¦\"\\\"\\\\ä\"¦5¦5.0"),
    ("xml", "TEXT", "<a>ä</a>¦text¦<a/><b/>"),
    ("integer[]", "TEXT", "{}¦{1,NULL,-3}¦{{1,2},{3,4}}¦[0:1]={1,2}"),
    ("text[]", "TEXT", "{}¦{NULL,\"NULL\",\"\",\" a \",\"a,b\",\"{}\",\"\\\"\",\"\\\\\"}¦{{a,b},{c,d}}"),
    ("numeric(10,2)[]", "TEXT", "{1.10,NaN}¦{}"),
    ("bytea[]", "TEXT", "{\"\\\\x00ff\",NULL}"),
    ("date[]", "TEXT", "{2024-05-06,NULL,\"0044-03-15 BC\",infinity}¦{}"),
    ("timestamp with time zone[]", "TEXT", "{\"2024-05-06 10:00:00.5+05:30\",-infinity}"),
    ("int4range", "TEXT", "empty¦[1,5)¦(,)¦(,5]"),
    ("int8range", "TEXT", "[-9223372036854775808,9223372036854775807)"),
    ("numrange", "TEXT", "[1.10,2.0]¦(0.1,0.10]"),
    ("daterange", "TEXT", "[2024-05-06,infinity)¦empty¦[\"0044-03-15 BC\",)"),
    ("tsrange", "TEXT", "[\"2024-05-06 10:00:00.5\",)¦[-infinity,infinity]"),
    ("tstzrange", "TEXT", "[\"2024-05-06 10:00:00+05:30\",\"2024-05-06 10:00:00+00\"]"),
    ("int4multirange", "TEXT", "{}¦{[1,3),[5,8)}¦{(,)}"),
    ("mood", "TEXT", "sad¦so, so¦it's \"fine\"¦ä"),
    ("amount", "DECIMAL(10,2)", "-999.99¦0¦5.10"),
    ("label", "VARCHAR(8)", "¦äöü 1234"),
    ("days", "TEXT", "{2024-05-06}¦{}"),
    ("pair", "TEXT", "(1,x)¦(,)¦(-5,\"a \"\"b\"\", c\")"),
    ("point", "TEXT", "(0,0)¦(-0,5e-324)¦(Infinity,NaN)"),
    ("polygon", "TEXT", "((0,0),(1,0.1),(0,2))"),
    ("tsvector", "TEXT", "'a':1A 'b':2¦"),
    ("pg_lsn", "TEXT", "16/B374D848¦0/0"),
];

/// Types that PostgreSQL 13 does not know.
const SINCE_14: &str = "int4multirange";

/// A column of the tests' tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Which of [`COLUMNS`]; its name is `c` and this.
    pub(super) at: usize,
    pub(super) postgres: &'static str,
    pub(super) sqlite: &'static str,
    literals: &'static str,
}

/// The columns that a server of this version can have.
pub(super) fn columns(version: i64) -> Vec<Column> {
    let column = |(at, &(postgres, sqlite, literals)): (usize, &(_, _, _))| Column { at, postgres, sqlite, literals };
    let all = COLUMNS.iter().enumerate().map(column);
    all.filter(|column| version >= 140_000 || column.postgres != SINCE_14).collect()
}

/// A literal with its type.
fn typed(literal: &str, of: &str) -> String {
    format!("'{}'::{of}", literal.replace('\'', "''"))
}

/// Text as the lists above write it.
pub(super) fn unwritten(text: &str) -> String {
    text.replace('␉', "\t").replace('␊', "\n").replace('␍', "\r")
}

impl Column {
    pub(super) fn name(&self) -> String {
        format!("c{}", self.at)
    }

    /// The type that a literal is cast to: without the length, which a cast would cut to.
    fn cast(&self) -> &'static str {
        match self.postgres {
            of if of.starts_with("character varying(") => "text",
            of if of.starts_with("character(") => "bpchar",
            // The cast of a number, not of its text as the server's locale writes it.
            "money" => "numeric",
            of => of,
        }
    }

    /// The values at the edges, as SQL.
    pub(super) fn edges(&self) -> Vec<String> {
        self.literals.split('¦').map(|literal| typed(&unwritten(literal), self.cast())).collect()
    }

    /// A random value, as SQL; a value at an edge where none is made.
    pub(super) fn random(&self, random: &mut TestEntropy) -> String {
        if random.below(12) == 0 {
            return "NULL".to_owned();
        }
        match value(self.postgres, random) {
            Some(sql) => sql,
            None => self.edges()[random.below(self.literals.split('¦').count())].clone(),
        }
    }
}

/// A whole number of up to so many bits, of either sign, small ones as often as great ones.
fn whole(random: &mut TestEntropy, bits: usize) -> i64 {
    let shift = 64 - bits + random.below(bits);
    random.next_u64().cast_signed() >> shift
}

fn digits(random: &mut TestEntropy, most: usize) -> String {
    (0..=random.below(most)).map(|_| char::from(b'0' + u8::try_from(random.below(10)).unwrap())).collect()
}

fn words(random: &mut TestEntropy, most: usize) -> String {
    const LETTERS: [char; 24] = [
        'a', 'B', '0', '7', ' ', '\'', '"', '\\', ',', '{', '}', '\n', '\t', '\r', '%', '.', '-', 'ä', 'ß', '€', '😀',
        '\u{301}', '\u{7f}', '\u{1}',
    ];
    (0..random.below(most + 1)).map(|_| LETTERS[random.below(LETTERS.len())]).collect()
}

fn bits(random: &mut TestEntropy, count: usize) -> String {
    (0..count).map(|_| if random.below(2) == 0 { '0' } else { '1' }).collect()
}

fn hex(random: &mut TestEntropy, bytes: usize) -> String {
    (0..bytes).map(|_| format!("{:02x}", random.below(256))).collect()
}

fn float(random: &mut TestEntropy) -> String {
    let number = f64::from_bits(random.next_u64());
    if number.is_nan() { "NaN".to_owned() } else { format!("{number:?}").replace("inf", "Infinity") }
}

fn single(random: &mut TestEntropy) -> String {
    let number = f32::from_bits(u32::try_from(random.next_u64() >> 32).unwrap());
    if number.is_nan() { "NaN".to_owned() } else { format!("{number:?}").replace("inf", "Infinity") }
}

fn day(random: &mut TestEntropy, most: usize) -> String {
    format!("('2000-01-01'::date + {})", i64::try_from(random.below(most)).unwrap() - 2_400_000)
}

fn micros(random: &mut TestEntropy) -> String {
    format!("{} * interval '1 microsecond'", random.below(86_400_000_000))
}

fn moment(random: &mut TestEntropy, of: &str) -> String {
    let days = i64::try_from(random.below(108_000_000)).unwrap() - 2_400_000;
    format!("('2000-01-01'::{of} + make_interval(days => {days}) + {})", micros(random))
}

/// A random value of a type, as SQL; none where the edges are all that the tests have.
fn value(of: &str, random: &mut TestEntropy) -> Option<String> {
    let number = |bits: usize, random: &mut TestEntropy| typed(&whole(random, bits).to_string(), of);
    Some(match of {
        "smallint" => number(16, random),
        "integer" => number(32, random),
        "bigint" => number(64, random),
        "oid" => typed(&(random.next_u64() >> 32).to_string(), of),
        "real" => typed(&single(random), of),
        "double precision" => typed(&float(random), of),
        "numeric" => {
            let sign = if random.below(2) == 0 { "-" } else { "" };
            let fraction = if random.below(2) == 0 { String::new() } else { format!(".{}", digits(random, 20)) };
            typed(&format!("{sign}{}{fraction}", digits(random, 25)), of)
        }
        "numeric(12,3)" => typed(&format!("{}.{}", whole(random, 29), digits(random, 3)), of),
        "numeric(10,0)" => typed(&whole(random, 33).to_string(), of),
        "money" => typed(&format!("{}.{}", whole(random, 50), digits(random, 2)), "numeric"),
        "amount" => typed(&format!("{}.{}", random.below(99_999_999), digits(random, 2)), of),
        "bytea" => {
            let bytes = random.below(40);
            typed(&format!("\\x{}", hex(random, bytes)), of)
        }
        "text" | "character varying" => typed(&words(random, 60), "text"),
        // Blanks at its end count for nothing.
        "bpchar" => typed(words(random, 60).trim_end_matches(' '), "text"),
        "character varying(5)" | "character(5)" => typed(&words(random, 5), "text"),
        "label" => typed(&words(random, 8), of),
        "date" => day(random, 2_147_000_000),
        "time" => format!("('00:00'::time + {})", micros(random)),
        "time with time zone" => format!("('00:00+0{}:45'::timetz + {})", random.below(10), micros(random)),
        "timestamp" => moment(random, of),
        "timestamp with time zone" => moment(random, of),
        "interval" => format!(
            "make_interval(months => {}, days => {}) + {} * interval '1 microsecond'",
            whole(random, 31),
            whole(random, 31),
            whole(random, 52)
        ),
        "uuid" => typed(&hex(random, 16), of),
        "inet" => typed(
            &format!("{}.{}.0.{}/{}", random.below(256), random.below(256), random.below(256), random.below(33)),
            of,
        ),
        "macaddr" => typed(&hex(random, 6), of),
        "bit(8)" => typed(&bits(random, 8), of),
        "bit varying(12)" => {
            let count = random.below(13);
            typed(&bits(random, count), of)
        }
        "json" | "jsonb" => {
            let text = serde_json::Value::String(words(random, 20).replace('\u{1}', ""));
            let blanks = " ".repeat(random.below(3));
            typed(&format!("{{\"a\":{blanks}{text}, \"n\": [{}.{},null]}}", whole(random, 40), digits(random, 8)), of)
        }
        "integer[]" => format!("ARRAY[{}, NULL, {}]::integer[]", whole(random, 32), whole(random, 32)),
        "text[]" => {
            format!("ARRAY[{}, NULL, {}]", typed(&words(random, 12), "text"), typed(&words(random, 12), "text"))
        }
        "pair" => format!("ROW({}, {})::pair", whole(random, 32), typed(&words(random, 12), "text")),
        "int4range" => {
            let from = whole(random, 30);
            format!("int4range({from}, {}, '(]')", from + i64::try_from(random.below(1_000)).unwrap())
        }
        "numrange" => {
            let from = whole(random, 30);
            format!("numrange({from}.{}, {}.50)", digits(random, 6), from.abs() + 2)
        }
        "daterange" => {
            let day = day(random, 3_000_000);
            format!("daterange({day}, {day} + {})", random.below(1_000))
        }
        "tstzrange" => {
            let from = moment(random, "timestamptz");
            format!("tstzrange({from}, {from} + interval '3 days 00:00:00.000007', '[]')")
        }
        "point" => format!("point({}, {})", typed(&float(random), "float8"), typed(&float(random), "float8")),
        _ => return None,
    })
}

//! What any database says, for tables that are only known when the test runs.
//!
//! Every row becomes one line: its own columns, and for each reference what the target means. Integer
//! primary keys are left out. Rows are told apart by colour refinement: a row's colour begins with its own
//! values and takes in the colours of its targets, [`ROUNDS`] times, so self references and cycles end by
//! themselves and chains are followed that far. A line shows its targets by name, where the table has one,
//! and else by colour.

mod source;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use saddlebag_samples::compare::multiset_differences;

use self::source::Declared;
pub use self::source::Source;

/// How many references in a row are followed.
pub const ROUNDS: usize = 16;

/// A table to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The table's name.
    pub table: String,
    /// The columns that say what a row is, for a table whose rows have such a name across places.
    /// References to a row with a null among them count by colour.
    pub name: Vec<String>,
    /// The columns that are left out.
    pub without: Vec<String>,
    /// References that no constraint declares: the column, and the table whose key it holds.
    pub undeclared: Vec<(String, String)>,
    /// Columns of text that name a table, with dots for underscores, and a key: `party.party,17`.
    pub by_model: Vec<String>,
    /// Columns whose values may have the place in parentheses behind them, ` (clinic-07)`: it does not count.
    pub qualified: Vec<String>,
    /// Whether a row's key means the same everywhere, in databases that are copies of one.
    pub is_fixed: bool,
}

impl Table {
    /// A table whose rows are known by what they say alone.
    #[must_use]
    pub fn new(table: &str) -> Self {
        let (name, without, undeclared, by_model, qualified) = Default::default();
        Self { table: table.to_owned(), name, without, undeclared, by_model, qualified, is_fixed: false }
    }

    /// A table whose rows are the same under the same integer key everywhere, and of which nothing else is told.
    #[must_use]
    pub fn fixed(table: &str) -> Self {
        Self { is_fixed: true, ..Self::new(table) }
    }

    /// A table whose rows are known by these columns.
    #[must_use]
    pub fn named(table: &str, name: &[&str]) -> Self {
        let name = name.iter().map(|&column| column.to_owned()).collect();
        Self { name, ..Self::new(table) }
    }

    /// Leaves columns out of the comparison.
    #[must_use]
    pub fn without(mut self, columns: &[&str]) -> Self {
        self.without = columns.iter().map(|&column| column.to_owned()).collect();
        self
    }
}

/// For each table, one line for each row, sorted.
pub type Meaning = BTreeMap<String, Vec<String>>;

/// What the database says in these tables.
///
/// # Errors
/// When a table cannot be read.
pub fn meaning<S: Source>(source: &S, tables: &[Table]) -> Result<Meaning, S::Error> {
    let loaded: Vec<Loaded> = tables.iter().map(|table| load(source, table)).collect::<Result<_, _>>()?;
    let targets = targets(&loaded);
    let mut colours = colours(&loaded, &targets, None);
    for _ in 0..ROUNDS {
        colours = self::colours(&loaded, &targets, Some(&colours));
    }
    let mut meaning = Meaning::new();
    for (index, table) in loaded.iter().enumerate() {
        let told = (0..table.rows.len()).map(|row| line(&loaded, &targets, &colours, (index, row)));
        let mut lines: Vec<String> = told.collect();
        lines.sort_unstable();
        meaning.insert(table.name.clone(), lines);
    }
    Ok(meaning)
}

/// One sentence for each row that is not equally often in each of the databases, its table before it; none
/// if all say the same.
///
/// # Errors
/// When a table cannot be read.
pub fn differences<S: Source>(databases: &[(&str, &S)], tables: &[Table]) -> Result<Vec<String>, S::Error> {
    let told = databases.iter().map(|(name, source)| Ok((*name, meaning(*source, tables)?)));
    let told: Vec<(&str, Meaning)> = told.collect::<Result<_, S::Error>>()?;
    let mut found = Vec::new();
    for Table { table, .. } in tables {
        let lines: Vec<(&str, &[String])> = told.iter().map(|(name, all)| (*name, all[table].as_slice())).collect();
        found.extend(multiset_differences(&lines).into_iter().map(|sentence| format!("{table}: {sentence}")));
    }
    Ok(found)
}

/// A row's place: the table's and its own.
type Place = (usize, usize);

/// A table as it was read. All values are texts that differ where SQLite's values do.
#[derive(Debug)]
struct Loaded {
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    references: Vec<Reference>,
    /// Columns that are told as they are.
    plain: Vec<usize>,
    /// Columns that name a row.
    naming: Vec<usize>,
}

/// A reference: a declared foreign key, or one that is not declared.
#[derive(Debug)]
struct Reference {
    table: String,
    from: Vec<usize>,
    to: Vec<String>,
    /// Whether the column's text names the table.
    by_model: bool,
}

/// Where each reference of each row of each table points: `[table][row][reference]`.
type Targets = Vec<Vec<Vec<Target>>>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Target {
    Null,
    Row(Place),
    Nowhere(String),
}

fn load<S: Source>(source: &S, table: &Table) -> Result<Loaded, S::Error> {
    let name = &table.table;
    let declared = source.columns(name)?;
    let (columns, integer_key) = (declared.iter().map(|column| column.name.clone()).collect(), integer_key(&declared));
    let columns: Vec<String> = columns;
    let place = |column: &String| columns.iter().position(|known| known.eq_ignore_ascii_case(column));
    let mut references: Vec<Reference> = source
        .references(name)?
        .into_iter()
        .map(|Declared { table, from, to }| Reference {
            table,
            from: from.iter().filter_map(place).collect(),
            to,
            by_model: false,
        })
        .collect();
    // What the test names counts, where only one of the engines declares it.
    let is_named = |column: &usize| table.undeclared.iter().any(|(name, _)| *name == columns[*column]);
    references.retain(|reference| !reference.from.iter().any(is_named));
    // Engines tell them in an order of their own, and two schemas may hold them in another one.
    references.sort_by(|a, b| (&a.from, &a.table).cmp(&(&b.from, &b.table)));
    references.extend(undeclared(table, &columns));
    if table.is_fixed {
        let columns: Vec<String> = integer_key.map(|key| columns[key].clone()).into_iter().collect();
        assert_eq!(columns.len(), 1, "{name} has no integer key");
        let rows = source.cells(name, &columns)?;
        let (plain, naming) = (vec![0], vec![0]);
        return Ok(Loaded { name: name.clone(), rows, references: Vec::new(), plain, naming, columns });
    }
    let told = |index: &usize| {
        Some(*index) != integer_key
            && !table.without.contains(&columns[*index])
            && !references.iter().any(|reference| reference.from.contains(index))
    };
    let plain = (0..columns.len()).filter(told).collect();
    let naming: Vec<usize> = table.name.iter().filter_map(place).collect();
    assert_eq!(naming.len(), table.name.len(), "{name} has the columns {:?}", table.name);
    // An integer key in a name would compare what differs between places.
    assert!(naming.iter().all(told), "{name} is named by columns of its own, {:?}", table.name);
    let mut rows = source.cells(name, &columns)?;
    let qualified: Vec<usize> = table.qualified.iter().filter_map(place).collect();
    for row in &mut rows {
        qualified.iter().for_each(|&column| unqualify(&mut row[column]));
    }
    let left_out = |index: &usize| table.without.contains(&columns[*index]);
    let references = references.into_iter().filter(|reference| !reference.from.iter().any(left_out)).collect();
    Ok(Loaded { name: name.clone(), rows, references, plain, naming, columns })
}

/// The references that no constraint declares.
fn undeclared(table: &Table, columns: &[String]) -> Vec<Reference> {
    let reference = |column: &String, target: &str, by_model| {
        let from: Vec<usize> = columns.iter().position(|known| known == column).into_iter().collect();
        assert_eq!(from.len(), 1, "{} has no column {column}", table.table);
        Reference { table: target.to_owned(), from, to: vec!["id".to_owned()], by_model }
    };
    let bare = table.undeclared.iter().map(|(column, target)| reference(column, target, false));
    bare.chain(table.by_model.iter().map(|column| reference(column, "", true))).collect()
}

/// `"EVAL 7 (clinic-07)"` becomes `"EVAL 7"`; anything else stays.
fn unqualify(shown: &mut String) {
    let Some(inside) = shown.strip_suffix(")\"") else { return };
    let Some((before, place)) = inside.rsplit_once(" (") else { return };
    if !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        *shown = format!("{before}\"");
    }
}

/// Which of a table's columns is an integer primary key.
fn integer_key(columns: &[source::Column]) -> Option<usize> {
    let keys: Vec<usize> = (0..columns.len()).filter(|&index| columns[index].is_key).collect();
    keys.first().copied().filter(|&key| keys.len() == 1 && columns[key].is_integer)
}

fn targets(tables: &[Loaded]) -> Targets {
    let mut targets: Targets = tables.iter().map(|table| vec![Vec::new(); table.rows.len()]).collect();
    let mut known = HashMap::new();
    for (index, table) in tables.iter().enumerate() {
        for reference in &table.references {
            for (row, values) in table.rows.iter().enumerate() {
                let key: Vec<&str> = reference.from.iter().map(|&column| values[column].as_str()).collect();
                let Some((name, key)) = named(reference, key) else {
                    targets[index][row].push(Target::Null);
                    continue;
                };
                let spot = (name.clone(), reference.to.clone());
                let known = known.entry(spot).or_insert_with(|| by_columns(tables, &name, &reference.to));
                targets[index][row].push(target(known, &key));
            }
        }
    }
    targets
}

/// The table and the key that a reference names; nothing if it names none.
fn named<'t>(reference: &Reference, key: Vec<&'t str>) -> Option<(String, Vec<&'t str>)> {
    if !reference.by_model {
        return Some((reference.table.clone(), key));
    }
    let text = key.first()?.strip_prefix('"')?.strip_suffix('"')?;
    let (model, id) = text.split_once(',').unwrap_or((text, "no key"));
    Some((model.replace('.', "_"), vec![id]))
}

fn target(known: &HashMap<Vec<&str>, Place>, key: &[&str]) -> Target {
    if key.contains(&"NULL") {
        return Target::Null;
    }
    known.get(key).map_or_else(|| Target::Nowhere(key.join(", ")), |place| Target::Row(*place))
}

/// The rows of a table by the values of some columns.
fn by_columns<'t>(tables: &'t [Loaded], name: &str, columns: &[String]) -> HashMap<Vec<&'t str>, Place> {
    let mut known = HashMap::new();
    let found = tables.iter().position(|table| table.name.eq_ignore_ascii_case(name));
    let Some((index, table)) = found.map(|index| (index, &tables[index])) else {
        return known;
    };
    let place = |column: &String| table.columns.iter().position(|known| known.eq_ignore_ascii_case(column));
    let places: Vec<usize> = columns.iter().filter_map(place).collect();
    for (row, values) in table.rows.iter().enumerate() {
        known.insert(places.iter().map(|&place| values[place].as_str()).collect(), (index, row));
    }
    known
}

type Colours = Vec<Vec<u64>>;

/// The next colours of all rows; the first ones come from the rows' own values alone.
fn colours(tables: &[Loaded], targets: &Targets, before: Option<&Colours>) -> Colours {
    let colour = |index: usize, row: usize| {
        // Its keys are fixed, so the colours are the same in every database and run.
        let mut hasher = DefaultHasher::new();
        for &column in &tables[index].plain {
            tables[index].rows[row][column].hash(&mut hasher);
        }
        for target in &targets[index][row] {
            match (target, before) {
                (Target::Row((table, row)), Some(before)) => before[*table][*row].hash(&mut hasher),
                (Target::Row(_), None) => 1_u8.hash(&mut hasher),
                (other, _) => other.hash(&mut hasher),
            }
        }
        hasher.finish()
    };
    let of = |(index, table): (usize, &Loaded)| (0..table.rows.len()).map(|row| colour(index, row)).collect();
    tables.iter().enumerate().map(of).collect()
}

fn line(tables: &[Loaded], targets: &Targets, colours: &Colours, (index, row): Place) -> String {
    let table = &tables[index];
    let mut parts: Vec<String> =
        table.plain.iter().map(|&column| format!("{}={}", table.columns[column], table.rows[row][column])).collect();
    for (reference, target) in table.references.iter().zip(&targets[index][row]) {
        let columns: Vec<&str> = reference.from.iter().map(|&column| table.columns[column].as_str()).collect();
        let told = match target {
            Target::Null => "NULL".to_owned(),
            Target::Nowhere(key) => format!("{} {key}, which is not there", reference.table),
            Target::Row(place) => called(tables, colours, *place),
        };
        parts.push(format!("{}->{told}", columns.join("+")));
    }
    parts.join(", ")
}

/// What a row is called by those that refer to it.
fn called(tables: &[Loaded], colours: &Colours, (index, row): Place) -> String {
    let table = &tables[index];
    let name: Vec<&str> = table.naming.iter().map(|&column| table.rows[row][column].as_str()).collect();
    let mut text = table.name.clone();
    if name.is_empty() || name.contains(&"NULL") {
        let _ = write!(text, "#{:016x}", colours[index][row]);
    } else {
        let _ = write!(text, " {}", name.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    const SCHEMA: &str = "
        CREATE TABLE \"health-post\" (id INTEGER PRIMARY KEY, code TEXT UNIQUE, lead INTEGER REFERENCES person);
        CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, post TEXT REFERENCES \"health-post\" (code), note BLOB);
        CREATE TABLE entry (id INTEGER PRIMARY KEY, person INTEGER REFERENCES person (id),
                            previous INTEGER REFERENCES entry (id), value REAL);
        CREATE TABLE pair (a INTEGER REFERENCES person, b INTEGER REFERENCES person, PRIMARY KEY (a, b));
        CREATE TABLE remark (id INTEGER PRIMARY KEY, x INTEGER, y INTEGER, text TEXT,
                             FOREIGN KEY (x, y) REFERENCES pair (a, b));";

    fn database(rows: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {SCHEMA} {rows}")).unwrap();
        connection
    }

    fn tables() -> Vec<Table> {
        vec![
            Table::named("health-post", &["code"]),
            Table::named("person", &["name"]),
            Table::new("entry"),
            Table::new("pair"),
            Table::new("remark"),
        ]
    }

    const ROWS: &str = "
        INSERT INTO \"health-post\" VALUES (1, 'RIV', 2);
        INSERT INTO person VALUES (1, 'Ada', 'RIV', NULL), (2, 'Bo', 'RIV', x'ff00');
        INSERT INTO entry VALUES (1, 1, NULL, 1.5), (2, 1, 1, 2.5), (3, 2, NULL, 1.5), (4, 2, 3, 2.5), (5, 2, 4, 9);
        INSERT INTO pair VALUES (1, 2), (2, 1);
        INSERT INTO remark VALUES (1, 1, 2, 'x');";

    const RENUMBERED: &str = "
        INSERT INTO \"health-post\" VALUES (7, 'RIV', 1);
        INSERT INTO person VALUES (2, 'Ada', 'RIV', NULL), (1, 'Bo', 'RIV', x'ff00');
        INSERT INTO entry VALUES (15, 2, NULL, 1.5), (14, 2, 15, 2.5), (3, 1, NULL, 1.5), (1, 1, 3, 2.5), (2, 1, 1, 9);
        INSERT INTO pair VALUES (2, 1), (1, 2);
        INSERT INTO remark VALUES (4, 2, 1, 'x');";

    fn differing(rows: &str, change: &str) -> Vec<String> {
        let (one, other) = (database(rows), database(RENUMBERED));
        one.execute_batch(change).unwrap();
        differences(&[("one", &one), ("other", &other)], &tables()).unwrap()
    }

    #[test]
    fn integer_keys_mean_nothing() {
        assert_eq!(differing(ROWS, ""), Vec::<String>::new());
    }

    #[test]
    fn any_change_is_seen() {
        for change in [
            "UPDATE \"health-post\" SET code = 'HIL'; UPDATE person SET post = 'HIL'",
            "UPDATE \"health-post\" SET lead = 1",
            "UPDATE person SET note = x'ff' WHERE id = 2",
            "UPDATE person SET note = '' WHERE id = 1",
            "UPDATE person SET post = NULL WHERE id = 1",
            "UPDATE person SET post = 'nowhere' WHERE id = 1",
            "UPDATE entry SET person = 2 WHERE id = 1",
            "UPDATE entry SET value = 1.25 WHERE id = 1",
            "UPDATE entry SET previous = 3 WHERE id = 2",
            "UPDATE entry SET previous = NULL WHERE id = 5",
            "UPDATE entry SET previous = 5 WHERE id = 3",
            "INSERT INTO entry (person, value) VALUES (1, 1.5)",
            "DELETE FROM pair WHERE a = 1",
            "UPDATE remark SET x = 2, y = 1",
            "DELETE FROM remark",
        ] {
            assert_ne!(differing(ROWS, change), Vec::<String>::new(), "{change}");
        }
    }

    #[test]
    fn rows_that_differ_only_in_what_they_refer_to_are_told_apart_at_a_distance() {
        // Two chains of equal rows; only their first rows differ.
        let chain = |first: &str| {
            let rows = format!(
                "INSERT INTO person VALUES (1, NULL, NULL, '{first}'); INSERT INTO entry VALUES (1, 1, NULL, 0);"
            );
            let links: String =
                (2..12).map(|id| format!("INSERT INTO entry VALUES ({id}, NULL, {}, 0);", id - 1)).collect();
            database(&(rows + &links))
        };
        let (one, other) = (chain("x"), chain("y"));
        let found = differences(&[("one", &one), ("other", &other)], &tables()).unwrap();
        let entries = found.iter().filter(|sentence| sentence.starts_with("entry: ")).count();
        assert_eq!(entries, 22, "{found:#?}");
    }

    #[test]
    fn a_cycle_ends() {
        let rows = "INSERT INTO entry VALUES (1, NULL, 2, 1), (2, NULL, 1, 2), (3, NULL, 3, 3)";
        let told = meaning(&database(rows), &tables()).unwrap();
        assert_eq!(told["entry"].len(), 3);
    }

    #[test]
    fn columns_can_be_left_out() {
        let (one, other) = (database(ROWS), database(RENUMBERED));
        one.execute_batch("UPDATE entry SET value = 7 WHERE id = 5; UPDATE entry SET previous = NULL").unwrap();
        let tables = [Table::named("person", &["name"]), Table::new("entry").without(&["value", "previous"])];
        let tables = [&tables[..], &[Table::named("health-post", &["code"])]].concat();
        assert_eq!(differences(&[("one", &one), ("other", &other)], &tables).unwrap(), Vec::<String>::new());
    }

    const UNDECLARED: &str = "
        CREATE TABLE staff (id INTEGER PRIMARY KEY, login TEXT);
        CREATE TABLE \"file_card\" (id INTEGER PRIMARY KEY, code TEXT, entered_by INTEGER);
        CREATE TABLE remark (id INTEGER PRIMARY KEY, text TEXT, about TEXT);
        INSERT INTO staff VALUES (1, 'ada'), (2, 'bo');";

    fn undeclared(rows: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&format!("{UNDECLARED} {rows}")).unwrap();
        connection
    }

    #[test]
    fn references_that_no_constraint_declares_count() {
        let card = Table {
            undeclared: vec![("entered_by".into(), "staff".into())],
            qualified: vec!["code".into()],
            ..Table::new("file_card")
        };
        let remark = Table { by_model: vec!["about".into()], ..Table::new("remark") };
        let tables = [Table::fixed("staff"), card, remark];
        let one = "INSERT INTO file_card VALUES (1, 'C 1', 1), (2, 'C 1', 2);
            INSERT INTO remark VALUES (1, 'x', 'file.card,1'), (2, 'y', NULL)";
        let differing = |rows: &str| {
            let (one, other) = (undeclared(one), undeclared(rows));
            differences(&[("one", &one), ("other", &other)], &tables).unwrap()
        };
        let same = "INSERT INTO file_card VALUES (8, 'C 1', 1), (7, 'C 1 (hill-2)', 2);
            INSERT INTO remark VALUES (3, 'x', 'file.card,8'), (4, 'y', NULL)";
        assert_eq!(differing(same), Vec::<String>::new());
        for (from, to) in [
            ("'C 1', 1", "'C 1', 2"),
            ("'C 1', 1", "'C 1', 3"),
            ("'C 1', 1", "'C 1', NULL"),
            ("'C 1', 1", "'C 2 (hill-2)', 1"),
            ("'C 1', 1", "'C 1 (not a place)', 1"),
            ("file.card,8", "file.card,7"),
            ("file.card,8", "file.card,9"),
            ("'y', NULL", "'y', 'file.card,8'"),
            ("(7, ", "(9, 'C 1', 1), (7, "),
        ] {
            assert!(same.contains(from));
            assert_ne!(differing(&same.replace(from, to)), Vec::<String>::new(), "{from} became {to}");
        }
    }

    #[test]
    #[should_panic(expected = "named by columns of its own")]
    fn an_integer_key_is_no_name() {
        let _ = meaning(&database(ROWS), &[Table::named("person", &["id"])]);
    }
}

//! A deployment in a temporary folder: nodes with small databases, and a stick.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use saddlebag_couriers::founding::{Founded, Founding, found};
use saddlebag_couriers::node::NodeError;
use saddlebag_couriers::round::{BundleReport, BundleResult, RoundOptions, RoundReport, sync};
use saddlebag_couriers::system::{SystemClock, SystemEntropy};
use saddlebag_couriers::{Node, membership, setup};
use tempfile::TempDir;

pub(crate) const TABLES: &str = "
[tables.patient]
identity = \"uuid(uuid)\"

[tables.visit]
identity = \"assigned\"
";

const SCHEMA: &str = "
CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, phone TEXT);
CREATE TABLE visit (id INTEGER PRIMARY KEY, patient_id INTEGER NOT NULL REFERENCES patient (id), note TEXT);
CREATE INDEX visit_patient ON visit (patient_id);
";

pub(crate) struct World {
    pub(crate) root: TempDir,
}

/// One node of it.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) database: PathBuf,
}

impl World {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("stick")).unwrap();
        Self { root }
    }

    /// A clinic and a ministry that know each other.
    pub(crate) fn pair() -> (Self, Place, Place) {
        let world = Self::new();
        let (clinic, ministry) = (world.ready("clinic", false), world.ready("ministry", true));
        link(&clinic, &ministry);
        (world, clinic, ministry)
    }

    pub(crate) fn stick(&self) -> PathBuf {
        self.root.path().join("stick")
    }

    /// What lies on the stick for a node.
    pub(crate) fn for_node(&self, name: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.stick().join("saddlebag").join(name)) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// A place with an application's database, and no node yet.
    pub(crate) fn place(&self, name: &str) -> Place {
        let database = self.root.path().join(format!("{name}.db"));
        Connection::open(&database).unwrap().execute_batch(SCHEMA).unwrap();
        Place { name: name.to_owned(), folder: self.root.path().join(name), database }
    }

    /// A place whose node was made and set up.
    pub(crate) fn ready(&self, name: &str, central: bool) -> Place {
        let place = self.place(name);
        place.found(central).unwrap();
        place.setup();
        place
    }
}

impl Place {
    pub(crate) fn founding(&self, central: bool) -> Founding {
        let url = format!("sqlite:{}", self.database.display());
        let saddlebag_toml = format!("[node]\nname = \"{}\"\ndatabase = \"{url}\"\n{TABLES}", self.name);
        Founding { name: self.name.parse().unwrap(), database_url: url, central, saddlebag_toml }
    }

    pub(crate) fn found(&self, central: bool) -> Result<Founded, NodeError> {
        found(&self.folder, &self.founding(central), &SystemClock, &mut SystemEntropy)
    }

    pub(crate) fn setup(&self) {
        setup::setup(&mut Node::open_for_setup(&self.folder).unwrap(), &mut |_, _| ()).unwrap();
    }

    pub(crate) fn open(&self) -> Node {
        Node::open(&self.folder).unwrap()
    }

    /// Adds lines to `[node]` of its configuration.
    pub(crate) fn configure(&self, lines: &str) {
        let path = self.folder.join("saddlebag.toml");
        let text = fs::read_to_string(&path).unwrap();
        saddlebag_keys::files::replace(
            &self.folder,
            "saddlebag.toml",
            text.replacen("[node]\n", &format!("[node]\n{lines}\n"), 1).as_bytes(),
        )
        .unwrap();
    }

    /// What the application does.
    pub(crate) fn application(&self, sql: &str) {
        let connection = Connection::open(&self.database).unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// What the application shows: patients with their visits, without local keys.
    pub(crate) fn shows(&self) -> Vec<String> {
        let sql = "SELECT uuid || ' ' || name || ' ' || coalesce(phone, '-') || ' ' || coalesce(group_concat(note, '+'), '') \
                   FROM patient LEFT JOIN (SELECT * FROM visit ORDER BY note) v ON v.patient_id = patient.id \
                   GROUP BY uuid ORDER BY uuid";
        self.texts(sql)
    }

    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(&self.database).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn sync(&self, stick: &Path) -> RoundReport {
        sync(&mut self.open(), stick, &RoundOptions::default(), &mut |_| ()).unwrap()
    }
}

/// `join` at the satellite, `admit` at the central.
pub(crate) fn link(satellite: &Place, central: &Place) {
    let card = membership::card(&mut central.open()).unwrap();
    membership::join(&mut satellite.open(), &card.bytes).unwrap();
    let card = membership::card(&mut satellite.open()).unwrap();
    membership::admit(&mut central.open(), &card.bytes).unwrap();
}

/// The results of what came to `name`.
pub(crate) fn came(report: &RoundReport, name: &str) -> Vec<BundleResult> {
    of(report, |bundle| bundle.to == name)
}

/// The results of what `name` sent.
pub(crate) fn went(report: &RoundReport, name: &str) -> Vec<BundleResult> {
    of(report, |bundle| bundle.from == name)
}

fn of(report: &RoundReport, wanted: impl Fn(&BundleReport) -> bool) -> Vec<BundleResult> {
    report.bundles.iter().filter(|bundle| wanted(bundle)).map(|bundle| bundle.result).collect()
}

//! A ministry, a clinic and a stick in a folder of their own, and the command to drive them with.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;

const SCHEMA: &str = "
    CREATE TABLE facility (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
    CREATE TABLE patient (
        id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL CHECK (name <> 'refused'),
        facility_id INTEGER REFERENCES facility (id));
    CREATE TABLE log (text TEXT);";

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the command prints text");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        Self { status: output.status.code().expect("it was not killed"), out, err }
    }

    /// Asserts the status and the width, and passes it on.
    pub(crate) fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        // JSON is for programs.
        let out = if self.out.starts_with('{') { "" } else { &self.out };
        for line in out.lines().chain(self.err.lines()) {
            // A path is never broken, so a line may be as wide as the one word that it is.
            let is_one_word = line.split_whitespace().filter(|word| word.len() > 40).count() == 1;
            assert!(line.chars().count() <= 80 || is_one_word, "wide: {line}");
        }
        self
    }

    /// Asserts that it failed with an error and a hint, and nothing on stdout.
    pub(crate) fn fails(self, status: i32, error: &str, hint: &str) {
        let ran = self.ends(status);
        let words = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
        let (said, advised) = words.rsplit_once("hint: ").unwrap_or_else(|| panic!("no hint in {words}"));
        assert!(said.contains("error: ") && said.contains(error), "{words}");
        assert!(advised.contains(hint), "{words}");
        assert_eq!(ran.out, "");
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

pub(crate) struct Places {
    folder: tempfile::TempDir,
}

impl Places {
    /// Two databases and an empty stick.
    pub(crate) fn new() -> Self {
        let places = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(places.path("stick")).unwrap();
        for name in ["ministry", "clinic"] {
            places.database(name).execute_batch(SCHEMA).unwrap();
        }
        places
    }

    /// With both nodes made, and linked.
    pub(crate) fn linked() -> Self {
        Self::new().into_linked()
    }

    /// With two rows of one identity at the clinic, because its database does not keep the code unique.
    pub(crate) fn twins() -> Self {
        let places = Self::new();
        let schema = "DROP TABLE patient; DROP TABLE facility;
            CREATE TABLE facility (id INTEGER PRIMARY KEY, code TEXT NOT NULL, name TEXT NOT NULL)";
        for name in ["ministry", "clinic"] {
            places.execute(name, schema);
        }
        places.execute("clinic", "INSERT INTO facility (code, name) VALUES ('C7', 'First'), ('C7', 'Second')");
        places.put("profile.toml", b"[tables.facility]\nidentity = \"natural(code)\"\n");
        places.into_linked_with(&["--profile", "profile.toml"])
    }

    /// With a table whose column holds values of any type.
    pub(crate) fn with_values() -> Self {
        let places = Self::new();
        for name in ["ministry", "clinic"] {
            places.execute(name, "CREATE TABLE sample (id INTEGER PRIMARY KEY, v)");
        }
        places.put("profile.toml", b"[tables.sample]\nidentity = \"assigned\"\n");
        places.into_linked_with(&["--profile", "profile.toml"])
    }

    fn into_linked(self) -> Self {
        self.into_linked_with(&[])
    }

    /// Makes both nodes, with more arguments for `init`, and links them.
    fn into_linked_with(self, more: &[&str]) -> Self {
        let places = self;
        places.init("ministry", &[&["--central"], more].concat()).ends(0);
        places.init("clinic", more).ends(0);
        places.at("ministry", &["card"]).ends(0);
        places.at("clinic", &["card"]).ends(0);
        places.at("clinic", &["join", "ministry.card", "--yes"]).ends(0);
        places.at("ministry", &["admit", "clinic.card", "--yes"]).ends(0);
        places
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self, name: &str) -> Connection {
        Connection::open(self.path(&format!("{name}.db"))).unwrap()
    }

    pub(crate) fn execute(&self, name: &str, sql: &str) {
        self.database(name).execute_batch(sql).unwrap();
    }

    /// The names of all patients, with the code of their facility.
    pub(crate) fn patients(&self, name: &str) -> Vec<String> {
        let database = self.database(name);
        let sql = "SELECT p.name || '@' || coalesce(f.code, '-') FROM patient p
            LEFT JOIN facility f ON f.id = p.facility_id ORDER BY 1";
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saddlebag"));
        command.args(args).current_dir(self.folder.path()).env_remove("SADDLEBAG_NODE").stdin(Stdio::null());
        command
    }

    /// Runs a command without a node.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// Runs a command at a node.
    pub(crate) fn at(&self, node: &str, args: &[&str]) -> Ran {
        self.run(&[&["--node", node], args].concat())
    }

    pub(crate) fn init(&self, node: &str, more: &[&str]) -> Ran {
        let database = format!("sqlite:{node}.db");
        self.at(node, &[&["init", node, "--database", &database], more].concat())
    }

    /// The bundles on the stick for a node.
    pub(crate) fn bundles_for(&self, node: &str) -> Vec<String> {
        let folder = self.path("stick/saddlebag").join(node);
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path().display().to_string()).collect();
        paths.sort();
        paths
    }

    /// Flips a bit in the last byte of a file.
    pub(crate) fn damage(&self, name: &str) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        self.put(name, &bytes);
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        put(&self.path(name), bytes);
    }
}

/// The words, whatever lines they stand in.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes a file of a test, over what is there.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    std::fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

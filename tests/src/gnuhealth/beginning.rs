//! What all places begin with: a clinic's own SQLite file, or the PostgreSQL database that a dump holds.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rusqlite::{Connection, params_from_iter};
use saddlebag_stores::Store;
use saddlebag_stores::postgres::PostgresStore;
use saddlebag_stores::schema::Schema;
use saddlebag_stores::sqlite::SqliteStore;

use super::Recording;
use crate::app::{App, Server, Sql};
use crate::engines::{Engine, Engines, SQLITE, any};
use crate::fleet::temporary_folder;
use crate::leases::needs_postgres;
use crate::meaning::Source as _;
use crate::postgres::{Cluster, Database};
use crate::skip::{needs_data, skipped};

/// A SQLite database in a folder of its own.
const FILE: &str = "one.db";

/// Great tables that are no part of what is kept in step, nor of what it refers to.
const STAY: [&str; 3] = ["gnuhealth_disease_group_members", "gnuhealth_gene", "ir_translation"];

/// A copy on SQLite has lost the zeros at the end of such numbers before saddlebag sees it.
const AS_SQLITE_HOLDS_IT: &str =
    "UPDATE gnuhealth_du SET latitude = trim_scale(latitude), longitude = trim_scale(longitude)";

/// Unique constraints of a table, without its key.
const UNIQUE: &str = "SELECT conname::text FROM pg_constraint WHERE contype = 'u' AND conrelid = to_regclass(?1)";

/// Contents of which every place has a copy.
#[derive(Debug)]
pub struct Beginning {
    engines: Engines,
    contents: Contents,
}

#[derive(Debug)]
enum Contents {
    /// The packed SQLite file of a clinic.
    Clinic(PathBuf),
    /// The database into which the dump was restored; and a SQLite file of the application's, for those nodes that get the
    /// same rows there.
    Dump(&'static Database, Option<PathBuf>),
}

/// A database of its own that nobody keeps in step.
#[derive(Debug)]
pub struct Alone {
    /// The application's connection.
    pub app: App,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(tempfile::TempDir),
    Server(Database),
}

impl Alone {
    /// What saddlebag sees of its tables.
    #[must_use]
    pub fn schema(&self) -> Schema {
        match &self.place {
            Place::Folder(folder) => SqliteStore::open(&folder.path().join(FILE)).unwrap().schema().unwrap(),
            Place::Server(database) => PostgresStore::open(database.url()).unwrap().schema().unwrap(),
        }
    }
}

impl Beginning {
    /// What nodes on these engines begin with, if it is on this machine; else the test is reported as skipped.
    #[must_use]
    pub fn of(test: &str, engines: Engines) -> Option<Self> {
        let contents = if engines == SQLITE { clinic(test) } else { dump(test, any(engines, Engine::Sqlite)) };
        Some(Self { engines, contents: contents? })
    }

    /// The nodes' engines.
    #[must_use]
    pub fn engines(&self) -> Engines {
        self.engines
    }

    /// The work of two clinics that began with it, and never touch the same old row.
    #[must_use]
    pub fn apart(&self) -> [Recording; 2] {
        match self.contents {
            Contents::Clinic(_) => Recording::apart(),
            Contents::Dump(..) => Recording::apart_from_dump(),
        }
    }

    /// The work of two clinics that began with it, treat the same patients, and undo each other's work.
    #[must_use]
    pub fn together(&self) -> [Recording; 2] {
        match self.contents {
            Contents::Clinic(_) => Recording::together(),
            Contents::Dump(..) => Recording::together_from_dump(),
        }
    }

    /// Lays it into a node's empty database.
    pub fn lay_into(&self, app: &mut App) {
        match &self.contents {
            Contents::Clinic(packed) => unpack(packed, Path::new(app.path().unwrap())),
            Contents::Dump(restored, Some(packed)) if app.engine() == Engine::Sqlite => {
                unpack(packed, Path::new(app.path().unwrap()));
                bring_over(&Server::connect(restored.url()).unwrap(), app);
            }
            Contents::Dump(restored, packed) => {
                let name = app.text("SELECT current_database()::text", &[]).unwrap();
                // Nobody may be connected.
                *app = App::Sqlite(Box::new(Connection::open_in_memory().unwrap()));
                let url = Cluster::shared().unwrap().refill(&name, restored);
                *app = App::Postgres(Box::new(Server::connect(&url).unwrap()));
                if packed.is_some() {
                    app.execute_batch(AS_SQLITE_HOLDS_IT).unwrap();
                }
            }
        }
    }

    /// One database that begins with it, for the work of all. Two places count by themselves: these columns may hold
    /// one number twice.
    #[must_use]
    pub fn alone(&self, counted: &[(String, String)]) -> Alone {
        match &self.contents {
            Contents::Clinic(packed) => {
                let folder = temporary_folder();
                let path = folder.path().join(FILE);
                unpack(packed, &path);
                let app = App::Sqlite(Box::new(Connection::open(path).unwrap()));
                Alone { app, place: Place::Folder(folder) }
            }
            Contents::Dump(restored, packed) => {
                let database = Cluster::shared().unwrap().copy_of(restored);
                let app = App::Postgres(Box::new(Server::connect(database.url()).unwrap()));
                if packed.is_some() {
                    app.execute_batch(AS_SQLITE_HOLDS_IT).unwrap();
                }
                for (table, _) in counted {
                    for name in app.texts(UNIQUE, &[crate::app::said(table)]).into_iter().flatten() {
                        app.execute_batch(&format!("ALTER TABLE \"{table}\" DROP CONSTRAINT \"{name}\"")).unwrap();
                    }
                }
                Alone { app, place: Place::Server(database) }
            }
        }
    }
}

fn clinic(test: &str) -> Option<Contents> {
    packed(test).map(Contents::Clinic)
}

fn dump(test: &str, with_sqlite: bool) -> Option<Contents> {
    let packed = if with_sqlite { Some(packed(test)?) } else { None };
    restored(test).map(|restored| Contents::Dump(restored, packed))
}

/// Puts the rows of the server's tables into those of a SQLite file, which has the same ones.
fn bring_over(server: &Server, file: &Connection) {
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    file.execute_batch("BEGIN").unwrap();
    for row in server.query(tables, &[]).unwrap() {
        let [Sql::Text(table)] = row.as_slice() else { panic!("{row:?}") };
        if STAY.contains(&table.as_str()) {
            continue;
        }
        let columns: Vec<String> = server.columns(table).unwrap().into_iter().map(|column| column.name).collect();
        let list: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        file.execute(&format!("DELETE FROM \"{table}\""), []).unwrap();
        let sql = format!("INSERT INTO \"{table}\" ({}) VALUES ({marks})", list.join(", "));
        let mut statement = file.prepare(&sql).unwrap();
        for row in server.told(table, &columns).unwrap() {
            statement.execute(params_from_iter(row)).unwrap();
        }
    }
    file.execute_batch("COMMIT").unwrap();
}

/// The packed database of a clinic, if it is on this machine; else the test named `test` is skipped.
#[must_use]
pub fn packed(test: &str) -> Option<PathBuf> {
    needs_data(test, "gnuhealth/clinic.sqlite.zst")
}

/// Unpacks a database.
pub fn unpack(packed: &Path, database: &Path) {
    let mut file = File::create(database).unwrap();
    zstd::stream::copy_decode(File::open(packed).unwrap(), &mut file).unwrap();
}

/// The database into which the dump was restored, once for all tests: to be copied, not to be changed. It is the one that
/// `SADDLEBAG_GNUHEALTH_DUMP` names, if any. Where there is no dump or no PostgreSQL, the test named `test` is skipped.
///
/// # Panics
/// When the dump cannot be restored.
#[must_use]
pub fn restored(test: &str) -> Option<&'static Database> {
    static RESTORED: OnceLock<Database> = OnceLock::new();
    let made = std::env::var_os("SADDLEBAG_GNUHEALTH_DUMP").map(PathBuf::from);
    let dump = made.or_else(|| needs_data(test, "gnuhealth/gnuhealth1.dump"))?;
    if !needs_postgres(test) {
        return None;
    }
    if Command::new("pg_restore").arg("--version").output().is_err() {
        skipped(test, "no `pg_restore` in PATH");
        return None;
    }
    Some(RESTORED.get_or_init(|| {
        let database = Cluster::shared().unwrap().database();
        let mut restore = Command::new("pg_restore");
        let done =
            restore.args(["--no-owner", "--exit-on-error", "--dbname", database.url()]).arg(dump).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // As its server would have done by and by.
        database.client().batch_execute("ANALYZE").unwrap();
        database
    }))
}

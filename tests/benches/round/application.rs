//! The application of both places, without saddlebag, on either engine.

use std::path::{Path, PathBuf};

use saddlebag_tests::engines::Engine;

use crate::measure::parent;
use crate::rows::Rows;
use crate::site::Place;
use crate::{on_postgres, on_sqlite};

/// Where the databases are.
pub(crate) enum Application {
    /// Files in this folder.
    Sqlite { folder: PathBuf, rows: u64 },
    /// Databases of one server: of the clinic, the ministry, and one for what is measured without saddlebag.
    Postgres { urls: [String; 3], rows: u64, postmaster: u32 },
}

/// Takes the time of what it is given.
pub(crate) type Timer<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

impl Application {
    pub(crate) fn sqlite(folder: &Path, rows: u64) -> Self {
        Self::Sqlite { folder: folder.to_owned(), rows }
    }

    pub(crate) fn postgres(urls: &str, rows: u64) -> Self {
        let urls: Vec<String> = urls.split(',').map(str::to_owned).collect();
        let mut client = on_postgres::open(&urls[0]);
        let row = client.query_one("SELECT pg_backend_pid()", &[]).unwrap();
        // The process that works for a connection is begun by the one that begins them all.
        let postmaster = parent(row.get::<_, i32>(0).cast_unsigned()).expect("/proc tells of the server's processes");
        Self::Postgres { urls: urls.try_into().unwrap(), rows, postmaster }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres { .. } => Engine::Postgres,
        }
    }

    pub(crate) fn postmaster(&self) -> Option<u32> {
        match self {
            Self::Sqlite { .. } => None,
            Self::Postgres { postmaster, .. } => Some(*postmaster),
        }
    }

    /// The path or URL of a place's database.
    pub(crate) fn database(&self, place: Place) -> String {
        match self {
            Self::Sqlite { folder, .. } => folder.join(place.name()).join("app.db").display().to_string(),
            Self::Postgres { urls, .. } => urls[place as usize].clone(),
        }
    }

    fn rows(&self) -> Rows {
        match self {
            Self::Sqlite { rows, .. } | Self::Postgres { rows, .. } => Rows::new(*rows),
        }
    }

    /// Empty databases.
    pub(crate) fn prepare(&self) {
        match self {
            Self::Sqlite { .. } => {
                for place in [Place::Clinic, Place::Ministry] {
                    on_sqlite::create(Path::new(&self.database(place)));
                }
            }
            Self::Postgres { urls, .. } => urls.iter().for_each(|url| on_postgres::create(url)),
        }
    }

    /// Puts in all rows.
    pub(crate) fn insert(&self, place: Place, time: Timer<'_>) {
        let (rows, database) = (self.rows(), self.database(place));
        match self {
            Self::Sqlite { .. } => plain_sqlite(Path::new(&database), time, |client| on_sqlite::insert(client, &rows)),
            Self::Postgres { .. } => {
                let mut client = on_postgres::open(&database);
                time(&mut || on_postgres::insert(&mut client, &rows));
            }
        }
    }

    /// Changes one value of each row.
    pub(crate) fn update(&self, place: Place, time: Timer<'_>) {
        self.update_in(&self.database(place), time);
    }

    fn update_in(&self, database: &str, time: Timer<'_>) {
        let rows = self.rows();
        match self {
            Self::Sqlite { .. } => plain_sqlite(Path::new(database), time, |client| on_sqlite::update(client, &rows)),
            Self::Postgres { .. } => {
                let mut client = on_postgres::open(database);
                time(&mut || on_postgres::update(&mut client, &rows));
            }
        }
    }

    /// The same in a database that saddlebag will not be in.
    pub(crate) fn update_copy(&self, time: Timer<'_>) {
        match self {
            Self::Sqlite { folder, .. } => {
                let copy = folder.join("copy.db");
                let _bytes = std::fs::copy(self.database(Place::Clinic), &copy).unwrap();
                self.update_in(&copy.display().to_string(), time);
            }
            Self::Postgres { urls, .. } => {
                let mut client = on_postgres::open(&urls[2]);
                on_postgres::insert(&mut client, &self.rows());
                self.update_in(&urls[2], time);
                client.batch_execute("TRUNCATE patient, observation").unwrap();
            }
        }
    }

    /// Puts all rows into an empty database, of which each could be there.
    pub(crate) fn upsert_new(&self, time: Timer<'_>) {
        self.upsert(time, on_postgres::upsert_new);
    }

    /// Changes one value of each row, of which each could be new.
    pub(crate) fn upsert_known(&self, time: Timer<'_>) {
        self.upsert(time, on_postgres::upsert_known);
    }

    fn upsert(&self, time: Timer<'_>, work: fn(&mut postgres::Client, &Rows)) {
        let Self::Postgres { urls, .. } = self else { return };
        let (rows, mut client) = (self.rows(), on_postgres::open(&urls[2]));
        time(&mut || work(&mut client, &rows));
    }

    /// Has the server send all rows.
    pub(crate) fn copy_out(&self, time: Timer<'_>) {
        let mut client = on_postgres::open(&self.database(Place::Clinic));
        time(&mut || assert!(on_postgres::copy_out(&mut client) > 0, "there are rows"));
    }

    /// Reads every column of every row.
    pub(crate) fn scan(&self, place: Place, time: &mut dyn FnMut(&mut dyn FnMut() -> u64)) {
        let database = self.database(place);
        match self {
            Self::Sqlite { .. } => {
                let client = on_sqlite::open(Path::new(&database));
                time(&mut || on_sqlite::scan(&client).0);
            }
            Self::Postgres { .. } => {
                let mut client = on_postgres::open(&database);
                time(&mut || on_postgres::scan(&mut client).0);
            }
        }
    }

    /// What a place holds, to be compared.
    pub(crate) fn contents(&self, place: Place) -> (u64, String) {
        let database = self.database(place);
        match self {
            Self::Sqlite { .. } => {
                let (rows, bytes) = on_sqlite::scan(&on_sqlite::open(Path::new(&database)));
                (rows, bytes.to_string())
            }
            Self::Postgres { .. } => on_postgres::checksum(&mut on_postgres::open(&database)),
        }
    }
}

fn plain_sqlite(path: &Path, time: Timer<'_>, work: impl Fn(&mut rusqlite::Connection)) {
    let mut connection = on_sqlite::open(path);
    time(&mut || work(&mut connection));
    // As the application does, which owns the log.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

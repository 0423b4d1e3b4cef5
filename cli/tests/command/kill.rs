//! Promise 4: whatever ends the program in the middle of writing, the database holds the old state or the new one.
//!
//! The kernel kills a process that writes beyond its file size limit (SIGXFSZ): so it dies within a write, at a place
//! that the test chooses, with pages of the database half written and its journal on the disk.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rusqlite::Connection;

use crate::places::Places;

const PATIENTS: i64 = 3_000;
const SIGXFSZ: i32 = 25;

/// Everything in the ministry's database, after SQLite has undone what was half written.
fn dump(places: &Places) -> (Vec<String>, i64) {
    let database = places.database("ministry");
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut statement = database.prepare(sql).unwrap();
    let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let lines = names.iter().flat_map(|name| rows(&database, name)).collect();
    let patients = database.query_row("SELECT count(*) FROM patient", [], |row| row.get(0)).unwrap();
    (lines, patients)
}

fn rows(database: &Connection, table: &str) -> Vec<String> {
    let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let values: Vec<String> = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
        lines.push(format!("{table}: {}", values.join(", ")));
    }
    lines
}

#[test]
fn killed_within_a_write_the_ministry_has_all_of_a_bundle_or_nothing() {
    let places = Places::linked();
    places.execute(
        "clinic",
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PATIENTS})
             INSERT INTO patient (uuid, name) SELECT printf('%08x-0000-4000-8000-000000000000', i), 'P' || i FROM n"
        ),
    );
    places.at("clinic", &["export", "stick"]).ends(0);
    let [bundle] = places.bundles_for("ministry").try_into().unwrap();
    let (before, _) = dump(&places);
    let blocks = std::fs::metadata(places.path("ministry.db")).unwrap().len() / 512;
    let mut killed = 0;
    for limit in (blocks..).step_by(40) {
        let script = format!("ulimit -c 0; ulimit -f {limit}; exec \"$0\" --node ministry import \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_saddlebag"), &bundle]);
        command.current_dir(places.path(".")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().unwrap();
        let (now, patients) = dump(&places);
        if status.success() {
            assert_eq!(patients, PATIENTS);
            break;
        }
        assert_eq!(status.signal(), Some(SIGXFSZ), "{status}");
        killed += 1;
        assert!(now == before, "killed at {limit} blocks, and something stayed");
    }
    assert!(killed >= 10, "it was killed {killed} times only");
    let again = places.at("ministry", &["import", &bundle]).ends(0);
    assert!(again.out.contains("had been received before"), "{}", again.out);
}

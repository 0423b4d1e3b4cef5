//! What the application does.

use std::io::Write as _;
use std::time::Instant;

use postgres::{Client, Statement};

/// Rows that are there before, and are updated.
const ROWS: i32 = 5_000;

/// How long something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    pub(crate) clock_s: f64,
    /// On the processor, of the server's process for this connection; where Linux tells.
    pub(crate) processor_s: Option<f64>,
}

/// So many transactions of so many statements of so many rows.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    kind: Kind,
    transactions: i32,
    statements: i32,
    rows: i32,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Insert,
    Copy,
    Update,
}

pub(crate) const WORKS: [Work; 7] = [
    work("insert, a row a transaction", Kind::Insert, 2_000, 1, 1),
    work("insert, 100 statements", Kind::Insert, 30, 100, 1),
    work("insert, a statement of 100", Kind::Insert, 100, 1, 100),
    work("COPY of 1000", Kind::Copy, 10, 1, 1_000),
    work("update, a row a transaction", Kind::Update, 2_000, 1, 1),
    work("update, 100 statements", Kind::Update, 30, 100, 1),
    work("update, a statement of 100", Kind::Update, 50, 1, 100),
];

const fn work(name: &'static str, kind: Kind, transactions: i32, statements: i32, rows: i32) -> Work {
    Work { name, kind, transactions, statements, rows }
}

const INSERT: &str = "INSERT INTO obs (obs_id, person_id, concept_id, encounter_id, obs_datetime, value_numeric, value_text, \
    creator, date_created, uuid) SELECT g, g % 1000 + 1, g % 50, g / 8, timestamp '2024-01-01' + g * interval '1 s', g / 3.0, \
    CASE WHEN g % 7 = 0 THEN 'as before' END, 1, timestamp '2024-01-01', md5(g::text) FROM generate_series($1::int4, $2::int4) g";

const UPDATE: &str =
    "UPDATE obs SET value_numeric = value_numeric + 1, comments = 'corrected' WHERE obs_id BETWEEN $1 AND $2";

impl Work {
    /// How many rows it writes.
    pub(crate) fn rows(&self) -> i32 {
        self.transactions * self.statements * self.rows
    }

    /// How many rows are noted of it by whatever notes changes, with those that are there before.
    pub(crate) fn noted(&self) -> i32 {
        ROWS + self.rows()
    }

    /// Does it, on a table as it always is before.
    pub(crate) fn run(&self, client: &mut Client) -> Time {
        client.batch_execute("TRUNCATE obs; DELETE FROM saddlebag.journal").unwrap();
        client.execute(INSERT, &[&1, &ROWS]).unwrap();
        // Each by itself: what is sent together is one transaction, in which nothing can be vacuumed.
        for sql in ["VACUUM saddlebag.journal", "ANALYZE obs"] {
            client.batch_execute(sql).unwrap();
        }
        let statement = client.prepare(if self.kind == Kind::Update { UPDATE } else { INSERT }).unwrap();
        let processor = processor_s(client);
        let start = Instant::now();
        let mut next = if self.kind == Kind::Update { 0 } else { ROWS };
        for _ in 0..self.transactions {
            self.transaction(client, &statement, &mut next);
        }
        let clock_s = start.elapsed().as_secs_f64();
        let processor_s = processor.zip(processor_s(client)).map(|(before, after)| after - before);
        Time { clock_s, processor_s }
    }

    fn transaction(&self, client: &mut Client, statement: &Statement, next: &mut i32) {
        if self.kind == Kind::Copy {
            let mut writer = client.copy_in("COPY obs FROM STDIN").unwrap();
            let mut lines = String::new();
            for id in *next + 1..=*next + self.rows {
                let moment = "2024-01-01 00:00:00";
                lines += &format!(
                    "{id}\t{}\t7\t{}\t{moment}\t1.5\t\\N\t\\N\t\\N\t1\t{moment}\tf\tc{id}\n",
                    id % 1000 + 1,
                    id / 8
                );
            }
            writer.write_all(lines.as_bytes()).unwrap();
            writer.finish().unwrap();
            *next += self.rows;
            return;
        }
        let mut transaction = client.transaction().unwrap();
        for _ in 0..self.statements {
            if self.kind == Kind::Update {
                *next %= ROWS;
            }
            transaction.execute(statement, &[&(*next + 1), &(*next + self.rows)]).unwrap();
            *next += self.rows;
        }
        transaction.commit().unwrap();
    }
}

fn processor_s(client: &mut Client) -> Option<f64> {
    let row = client.query_one("SELECT pg_read_file('/proc/self/schedstat')", &[]).ok()?;
    let nanoseconds: f64 = row.get::<_, &str>(0).split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

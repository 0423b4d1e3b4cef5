//! What can go wrong with the application's database.

/// A database operation that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("the database {url} cannot be opened: {reason}")]
    Open {
        /// As the configuration names it.
        url: String,
        /// The engine's own words.
        reason: String,
    },
    /// The server cannot be reached, or does not let anybody in.
    #[error("the database {url} cannot be reached: {reason}")]
    Connect {
        /// As the configuration names it, without its password.
        url: String,
        /// What was in the way.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Somebody else holds the database's lock.
    #[error("the database is in use by another program, and stayed so for {waited_s} s")]
    Busy {
        /// How long was waited, in seconds.
        waited_s: u64,
    },
    /// The application wrote the same rows at the same time, or has them or their table locked; the whole transaction has
    /// to be done again.
    #[error("the database is in use: the application was writing at the same time, while {action} ({reason})")]
    Concurrent {
        /// What was being done.
        action: String,
        /// The engine's own words.
        reason: String,
    },
    /// The database does not let this user do something.
    #[error("the database does not allow it to this user while {action}: {reason}")]
    NoRight {
        /// What was being done.
        action: String,
        /// The engine's own words.
        reason: String,
    },
    /// The server is of a version that saddlebag does not know.
    #[error("the server is PostgreSQL {found}; saddlebag needs {least} or later")]
    OldServer {
        /// Its version.
        found: String,
        /// The first that will do.
        least: &'static str,
    },
    /// The engine reports an error.
    #[error("the database failed while {action}: {reason}")]
    Engine {
        /// What was being done.
        action: String,
        /// The engine's own words.
        reason: String,
    },
    /// A trigger of the application undid the whole transaction because of one row. The store refuses that row from
    /// now on, until a transaction stands: whoever tries again gets past it.
    #[error("a trigger of the database undid everything because of one row of `{table}`: {reason}")]
    RolledBack {
        /// The row's table.
        table: String,
        /// The engine's own words.
        reason: String,
    },
    /// The query of `named(…)` cannot be used.
    #[error("the query that names the rows of `{table}` cannot be used: {reason}")]
    NameQuery {
        /// The table.
        table: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something of saddlebag's own in the database cannot be read.
    #[error("saddlebag's own record of {what} in the database cannot be read: {reason}")]
    Damaged {
        /// What it is about.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `setup` has not been run, or what it made is gone.
    #[error("this database is not set up for saddlebag")]
    NotSetUp,
    /// The configuration or the schema is not what `setup` last saw.
    #[error("{what} changed since `saddlebag setup` was last run")]
    SetupIsOlder {
        /// What changed.
        what: String,
    },
}

impl StoreError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Open { .. } => "check `database` in saddlebag.toml, and that this user may read and write the file",
            Self::Connect { hint, .. } => hint,
            Self::Busy { .. } => "close the program that holds it, or try again in a moment; nothing was changed",
            Self::Concurrent { .. } => "nothing was changed; try again in a moment",
            Self::NoRight { .. } => "nothing was changed; docs/postgresql.md says which rights saddlebag needs",
            Self::OldServer { .. } => "upgrade the server, or keep its data in step from a newer one",
            Self::Engine { .. } => "nothing was changed; if it persists, check the disk and the database itself",
            Self::RolledBack { .. } => "nothing was changed; look at what the trigger wants of that table's rows",
            Self::NameQuery { .. } => "correct `named(…)` in saddlebag.toml: one SELECT that gives keys and names",
            Self::Damaged { .. } => "restore the database from a backup, or ask for help before going on",
            Self::NotSetUp | Self::SetupIsOlder { .. } => "run `saddlebag setup`",
        }
    }
}

//! `database = "sqlite:PATH"`: which database a node keeps in step.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_stores::{Store, StoreError};

const SQLITE: &str = "sqlite:";

/// Where a node's database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of SQLite.
    Sqlite(PathBuf),
}

/// A URL that names no database which this version can keep in step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseUrlError {
    /// PostgreSQL.
    #[error("this version keeps SQLite databases in step, and no PostgreSQL ones yet")]
    Postgres,
    /// Something else.
    #[error("`{}` is no database URL", text.escape_debug())]
    Unknown {
        /// What was given.
        text: String,
    },
    /// The directory that a relative path starts from cannot be told.
    #[error("the path in `{}` cannot be made absolute", text.escape_debug())]
    Relative {
        /// What was given.
        text: String,
    },
}

impl DatabaseUrlError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Postgres | Self::Unknown { .. } => "write `sqlite:` and the path of the database file",
            Self::Relative { .. } => "write `sqlite:` and the whole path, from `/` on",
        }
    }
}

impl DatabaseUrl {
    /// The same database, whatever the current directory is later.
    ///
    /// # Errors
    /// [`DatabaseUrlError::Relative`].
    pub fn absolute(&self) -> Result<Self, DatabaseUrlError> {
        let Self::Sqlite(path) = self;
        let relative = |_| DatabaseUrlError::Relative { text: self.to_string() };
        std::path::absolute(path).map(Self::Sqlite).map_err(relative)
    }

    /// Whether it names the same database whatever the current directory is.
    #[must_use]
    pub fn is_absolute(&self) -> bool {
        let Self::Sqlite(path) = self;
        path.is_absolute()
    }

    /// The file of the database.
    #[must_use]
    pub fn path(&self) -> &Path {
        let Self::Sqlite(path) = self;
        path
    }

    /// Opens the database, which must exist.
    ///
    /// # Errors
    /// The engine's.
    pub fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        let Self::Sqlite(path) = self;
        Ok(Box::new(SqliteStore::open(path)?))
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Err(DatabaseUrlError::Postgres);
        }
        let path = text.strip_prefix(SQLITE).unwrap_or_default();
        // `sqlite://server/path` would be a database of another machine; `sqlite:///path` is this one's.
        let names_a_server = path.starts_with("//") && !path.starts_with("///");
        if path.is_empty() || path == ":memory:" || names_a_server || path.contains('\0') {
            return Err(DatabaseUrlError::Unknown { text: text.to_owned() });
        }
        let path = path.strip_prefix("//").unwrap_or(path);
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite(path) = self;
        write!(f, "{SQLITE}{}", path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, DatabaseUrlError> {
        text.parse().map(|url: DatabaseUrl| url.to_string())
    }

    #[test]
    fn a_path_is_kept_and_others_are_refused() {
        assert_eq!(parse("sqlite:clinic.db").as_deref(), Ok("sqlite:clinic.db"));
        assert_eq!(parse("sqlite:/var/lib/clinic.db").as_deref(), Ok("sqlite:/var/lib/clinic.db"));
        assert_eq!(parse("sqlite:///var/lib/clinic.db").as_deref(), Ok("sqlite:/var/lib/clinic.db"));
        for postgres in ["postgres://h/db", "postgresql://h/db"] {
            assert_eq!(parse(postgres), Err(DatabaseUrlError::Postgres));
        }
        for unknown in ["", "clinic.db", "sqlite:", "sqlite::memory:", "sqlite://server/x", "mysql://x"] {
            assert!(matches!(parse(unknown), Err(DatabaseUrlError::Unknown { .. })), "{unknown}");
        }
    }

    #[test]
    fn an_absolute_url_does_not_depend_on_the_current_directory() {
        let relative: DatabaseUrl = "sqlite:clinic.db".parse().unwrap();
        assert!(!relative.is_absolute());
        let absolute = relative.absolute().unwrap();
        assert!(absolute.is_absolute() && absolute.path().ends_with("clinic.db"));
        assert_eq!(absolute.absolute().unwrap(), absolute);
    }
}

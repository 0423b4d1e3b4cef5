//! `database = "sqlite:PATH"` or `"postgres://…"`: which database a node keeps in step.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use saddlebag_stores::postgres::{ConnectionText, ConnectionTextError, PostgresStore};
use saddlebag_stores::sqlite::SqliteStore;
use saddlebag_stores::{Store, StoreError};

const SQLITE: &str = "sqlite:";

/// Where a node's database is. It is shown without the password that it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(ConnectionText),
}

/// A URL that names no database which can be kept in step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseUrlError {
    /// It means one of PostgreSQL, and does not name it well.
    #[error(transparent)]
    Postgres(#[from] ConnectionTextError),
    /// Something else. What holds an `@` is not repeated: it may be a password's.
    #[error("`{}` is no database URL", Concealed(text))]
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
            Self::Postgres(error) => error.hint(),
            Self::Unknown { .. } => {
                "write `sqlite:` and the path of the database file, or postgres://USER@HOST/DATABASE"
            }
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
        let Self::Sqlite(path) = self else { return Ok(self.clone()) };
        let relative = |_| DatabaseUrlError::Relative { text: self.to_string() };
        std::path::absolute(path).map(Self::Sqlite).map_err(relative)
    }

    /// Whether it names the same database whatever the current directory is.
    #[must_use]
    pub fn is_absolute(&self) -> bool {
        self.path().is_none_or(Path::is_absolute)
    }

    /// The file of the database, where it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// As `saddlebag.toml` keeps it: with the password, if one was written. Not to be shown.
    #[must_use]
    pub fn as_written(&self) -> String {
        match self {
            Self::Sqlite(_) => self.to_string(),
            Self::Postgres(text) => text.as_written().to_owned(),
        }
    }

    /// Opens the database, which must exist.
    ///
    /// # Errors
    /// The engine's.
    pub fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Box::new(SqliteStore::open(path)?),
            Self::Postgres(text) => Box::new(PostgresStore::open(text.as_written())?),
        })
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if ConnectionText::is_meant_by(text) {
            return Ok(Self::Postgres(text.parse()?));
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
        match self {
            Self::Sqlite(path) => write!(f, "{SQLITE}{}", path.display()),
            Self::Postgres(text) => text.fmt(f),
        }
    }
}

/// A text that may hold a password: `mysql://ann:s3cret@host/db`.
struct Concealed<'a>(&'a str);

impl fmt::Display for Concealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.split_once(':'), self.0.contains('@')) {
            (Some((scheme, _)), true) => write!(f, "{}:…", scheme.escape_debug()),
            (None, true) => f.write_str("…"),
            (_, false) => self.0.escape_debug().fmt(f),
        }
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
        for unknown in ["", "clinic.db", "sqlite:", "sqlite::memory:", "sqlite://server/x", "mysql://x"] {
            assert!(matches!(parse(unknown), Err(DatabaseUrlError::Unknown { .. })), "{unknown}");
        }
    }

    #[test]
    fn postgresql_is_kept_as_written_and_shown_without_the_password() {
        for (written, shown) in [
            ("postgres://ann:s3cret@h/clinic", "postgres://ann@h/clinic"),
            ("postgresql:///clinic?host=/run/postgresql", "postgresql:///clinic?host=/run/postgresql"),
            ("host=h password=s3cret dbname=clinic", "host=h dbname=clinic"),
        ] {
            let url: DatabaseUrl = written.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.as_written().as_str()), (shown, written));
            assert!(url.is_absolute() && url.path().is_none() && url.absolute().as_ref() == Ok(&url));
        }
        for bad in ["postgres:/h/clinic", "postgres://ann:s3cret@h:x/d", "mysql://ann:s3cret@h/d", "ann:s3cret@h"] {
            let error = parse(bad).unwrap_err();
            assert!(!error.to_string().contains("s3cret") && !error.hint().is_empty(), "{error}");
        }
    }

    #[test]
    fn an_absolute_url_does_not_depend_on_the_current_directory() {
        let relative: DatabaseUrl = "sqlite:clinic.db".parse().unwrap();
        assert!(!relative.is_absolute());
        let absolute = relative.absolute().unwrap();
        assert!(absolute.is_absolute() && absolute.path().is_some_and(|path| path.ends_with("clinic.db")));
        assert_eq!(absolute.absolute().unwrap(), absolute);
    }
}

//! `saddlebag.toml`: who this node is, where its database is, which tables it keeps in step.
//!
//! Invariant: a configuration that was read holds nothing that this version does not know, so that no setting
//! is silently without effect.

use std::ops::Range;
use std::path::{Path, PathBuf};

use saddlebag_formats::NodeName;
use saddlebag_formats::limits::RECORDS_PER_BUNDLE_MAX;
use saddlebag_keys::files::{self, FileError};
use saddlebag_stores::config::TablesConfig;
use serde::Deserialize;

use crate::after_import::HooksConfig;
use crate::database_url::{DatabaseUrl, DatabaseUrlError};
use crate::folder::CONFIG_FILE;

const BYTES_MAX: u64 = 1 << 20;

/// All of `saddlebag.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// `[node]`
    pub node: NodeSection,
    /// `[tables.NAME]`
    #[serde(default)]
    pub tables: TablesConfig,
    /// `[hooks]`
    #[serde(default)]
    pub hooks: HooksConfig,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSection {
    /// The node's name.
    pub name: NodeName,
    /// `sqlite:PATH` or `postgres://…`, which may hold a password: [`NodeConfig::database_shown`] is for people.
    pub database: String,
    /// Records in one bundle at most.
    #[serde(default)]
    pub records_per_bundle: Option<usize>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not what a configuration is.
    #[error("`{}`, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The file names a database that cannot be kept in step.
    #[error("`{}`, line {line}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: DatabaseUrlError,
    },
}

impl ConfigError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File(error) => error.hint(),
            Self::Line { .. } => Some("correct this line; `docs/` describes every setting"),
            Self::Database { source, .. } => Some(source.hint()),
        }
    }
}

/// The parts whose place in the file matters.
#[derive(Deserialize)]
struct Places {
    node: NodePlaces,
}

#[derive(Deserialize)]
struct NodePlaces {
    database: toml::Spanned<String>,
    records_per_bundle: Option<toml::Spanned<usize>>,
}

impl NodeConfig {
    /// Reads `saddlebag.toml` in a node's folder.
    ///
    /// # Errors
    /// [`ConfigError`], with the line.
    pub fn read(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join(CONFIG_FILE);
        let bytes = files::read_bounded(&path, BYTES_MAX)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| ConfigError::Line {
            path: path.clone(),
            line: line_at(&bytes, error.valid_up_to()),
            reason: "this is not text in UTF-8".to_owned(),
        })?;
        Self::parse(text, &path)
    }

    /// Reads a configuration; `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError`], with the line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| syntax(text, path, &error))?;
        let places: Places = toml::from_str(text).map_err(|error| syntax(text, path, &error))?;
        let line = |range: Range<usize>| line_at(text.as_bytes(), range.start);
        if let Some(wanted) = places.node.records_per_bundle
            && !(1..=RECORDS_PER_BUNDLE_MAX).contains(wanted.get_ref())
        {
            let reason = format!("`records_per_bundle` lies between 1 and {RECORDS_PER_BUNDLE_MAX}");
            return Err(ConfigError::Line { path: path.to_owned(), line: line(wanted.span()), reason });
        }
        let database = places.node.database;
        database.get_ref().parse::<DatabaseUrl>().map_err(|source| ConfigError::Database {
            path: path.to_owned(),
            line: line(database.span()),
            source,
        })?;
        Ok(config)
    }

    /// The database; [`NodeConfig::parse`] has made sure that there is one.
    ///
    /// # Errors
    /// [`DatabaseUrlError`], for a configuration that was not read by it.
    pub fn database(&self) -> Result<DatabaseUrl, DatabaseUrlError> {
        self.node.database.parse()
    }

    /// The database as people may see it, without a password.
    #[must_use]
    pub fn database_shown(&self) -> String {
        self.database().map_or_else(|error| error.to_string(), |url| url.to_string())
    }

    /// Records in one bundle at most.
    #[must_use]
    pub fn records_per_bundle(&self) -> usize {
        self.node.records_per_bundle.unwrap_or(RECORDS_PER_BUNDLE_MAX)
    }
}

/// The text with its `database` put into the form that does not depend on the current directory; all else, the
/// comments too, stays as it is.
pub(crate) fn with_absolute_database(text: &str, path: &Path) -> Result<String, ConfigError> {
    let places: Places = toml::from_str(text).map_err(|error| syntax(text, path, &error))?;
    let database = places.node.database;
    let failed = |source| ConfigError::Database {
        path: path.to_owned(),
        line: line_at(text.as_bytes(), database.span().start),
        source,
    };
    let url: DatabaseUrl = database.get_ref().parse().map_err(failed)?;
    if url.is_absolute() {
        return Ok(text.to_owned());
    }
    let absolute = url.absolute().map_err(failed)?.to_string();
    let Range { start, end } = database.span();
    Ok(format!("{}{}{}", &text[..start], toml::Value::String(absolute), &text[end..]))
}

fn syntax(text: &str, path: &Path, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |range| range.start);
    let line = line_at(text.as_bytes(), start);
    ConfigError::Line { path: path.to_owned(), line, reason: error.message().to_owned() }
}

fn line_at(bytes: &[u8], offset: usize) -> usize {
    let before = &bytes[..offset.min(bytes.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# who\n[node]\nname = \"clinic-07\"\ndatabase = \"sqlite:/c.db\" # where\n\n\
        [tables.patient]\nidentity = \"uuid(uuid)\"\n";

    fn error(text: &str) -> String {
        NodeConfig::parse(text, Path::new("n/saddlebag.toml")).unwrap_err().to_string()
    }

    #[test]
    fn a_configuration_is_read() {
        let config = NodeConfig::parse(GOOD, Path::new("saddlebag.toml")).unwrap();
        assert_eq!(config.node.name.as_str(), "clinic-07");
        assert_eq!(config.records_per_bundle(), RECORDS_PER_BUNDLE_MAX);
        assert!(config.tables.contains_key("patient"));
    }

    #[test]
    fn errors_name_file_and_line() {
        let at = |from: &str, to: &str| error(&GOOD.replace(from, to));
        assert!(at("clinic-07", "Clinic 7").starts_with("`n/saddlebag.toml`, line 3: a node's name holds only"));
        assert!(at("uuid(uuid)", "serial(id)").starts_with("`n/saddlebag.toml`, line 7: `serial(id)` is no identity"));
        assert!(at("database", "databse").contains("line 4: unknown field `databse`"), "{}", at("database", "databse"));
        assert!(at("[tables.patient]", "[table.patient]").contains("line 6: unknown field `table`"));
        assert!(at("identity", "identity = 1\nx").contains("line 7"));
        assert!(at("sqlite:/c.db", "mysql://h/d").contains("line 4: `mysql://h/d` is no database URL"));
        let secret = at("sqlite:/c.db", "postgres://ann:s3cret@h:port/d");
        assert!(secret.contains("line 4: ") && !secret.contains("s3cret"), "{secret}");
        assert!(at("# who", "= =").contains("line 1"));
        let hook = at("[tables.patient]", "[hooks]\nafter_import = [\"clear all\"]\n[tables.patient]");
        assert!(hook.starts_with("`n/saddlebag.toml`, line 7: `clear all` is no program"), "{hook}");
        let many = at("# where", "\nrecords_per_bundle = 0");
        assert_eq!(many, "`n/saddlebag.toml`, line 5: `records_per_bundle` lies between 1 and 100000");
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        files::publish(folder.path(), CONFIG_FILE, b"[node]\nname = \"\xff\"").unwrap();
        let error = NodeConfig::read(folder.path()).unwrap_err();
        assert!(matches!(error, ConfigError::Line { line: 2, .. }), "{error}");
    }

    #[test]
    fn a_relative_database_becomes_absolute_and_the_rest_stays() {
        let text = GOOD.replace("sqlite:/c.db", "sqlite:a \\\"b\\\".db");
        let absolute = with_absolute_database(&text, Path::new("saddlebag.toml")).unwrap();
        let config = NodeConfig::parse(&absolute, Path::new("saddlebag.toml")).unwrap();
        let url = config.database().unwrap();
        assert!(url.is_absolute() && url.path().is_some_and(|path| path.ends_with("a \"b\".db")), "{url}");
        assert!(absolute.contains(" # where\n\n[tables.patient]") && absolute.starts_with("# who\n"));
        assert_eq!(with_absolute_database(GOOD, Path::new("x")).unwrap(), GOOD);
    }
}

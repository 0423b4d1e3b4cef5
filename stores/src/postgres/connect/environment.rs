//! What `psql` takes from its environment where the text that names the database is silent.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::text::{ConnectionText, SETTINGS};

/// Where servers put their sockets: Debian and Red Hat, and PostgreSQL itself where nobody told it otherwise.
const SOCKET_FOLDERS: [&str; 2] = ["/run/postgresql", "/tmp"];
/// The same folder as the first, on systems where `/var/run` is a folder of its own.
const OLDER_SOCKET_FOLDER: &str = "/var/run/postgresql";

/// The environment of a process.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    /// Variables whose names begin with `PG`.
    pub(super) variables: BTreeMap<String, String>,
    /// The home directory.
    pub(super) home: Option<PathBuf>,
    /// The name of the user.
    pub(super) user: Option<String>,
    /// Folders in which a server's socket is looked for.
    pub(super) socket_folders: Vec<PathBuf>,
}

impl Environment {
    /// That of this process.
    pub(super) fn of_this_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables = std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("PG")).collect();
        let folders = [SOCKET_FOLDERS[0], OLDER_SOCKET_FOLDER, SOCKET_FOLDERS[1]];
        Self {
            variables,
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            user: whoami::username().ok(),
            socket_folders: folders.map(PathBuf::from).to_vec(),
        }
    }

    /// The text's settings, and this environment's where it has none.
    pub(super) fn complete(&self, text: &ConnectionText) -> Settings {
        let mut all = text.settings.clone();
        // Both say where; who says one of them does not mean the environment's other.
        let places = all.contains_key("host") || all.contains_key("hostaddr");
        for (name, variable) in SETTINGS {
            let value = self.variables.get(variable).filter(|value| !value.is_empty());
            if let Some(value) = value
                && !all.contains_key(name)
                && !(places && matches!(name, "host" | "hostaddr"))
            {
                all.insert(name, value.clone());
            }
        }
        Settings { all }
    }

    /// A file in the folder `.postgresql` of the home directory.
    pub(super) fn own_file(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(".postgresql").join(name))
    }

    /// The folder that holds the socket of a server at this port.
    pub(super) fn socket_folder(&self, port: u16) -> Option<&Path> {
        let has_socket = |folder: &&PathBuf| {
            let socket = folder.join(format!(".s.PGSQL.{port}")).metadata();
            socket.is_ok_and(|socket| socket.file_type().is_socket())
        };
        self.socket_folders.iter().find(has_socket).map(PathBuf::as_path)
    }
}

/// Settings of a connection, from all that has a say.
#[derive(Clone)]
pub(super) struct Settings {
    all: BTreeMap<&'static str, String>,
}

impl Settings {
    /// A setting; empty ones count as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all.get(name).map(String::as_str)
    }

    /// A setting that is a whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        let number = |text: &str| text.trim().parse().map_err(|_| format!("the setting `{name}` is no whole number"));
        self.get(name).map(number).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(variables: &[(&str, &str)], text: &str) -> Settings {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(own).collect();
        let environment = Environment { variables, home: None, user: None, socket_folders: Vec::new() };
        environment.complete(&text.parse().unwrap())
    }

    #[test]
    fn the_environment_speaks_where_the_text_is_silent() {
        let variables = [("PGUSER", "ann"), ("PGPASSWORD", "x"), ("PGDATABASE", "other"), ("PGSSLMODE", "")];
        let settings = complete(&variables, "postgres:///clinic");
        let found = ["user", "password", "dbname", "sslmode"].map(|name| settings.get(name));
        assert_eq!(found, [Some("ann"), Some("x"), Some("clinic"), None]);
    }

    #[test]
    fn a_host_in_the_text_stands_against_an_address_in_the_environment() {
        let variables = [("PGHOST", "elsewhere"), ("PGHOSTADDR", "192.0.2.1"), ("PGPORT", "5433")];
        let settings = complete(&variables, "postgres://here/d");
        let found = ["host", "hostaddr", "port"].map(|name| settings.get(name));
        assert_eq!(found, [Some("here"), None, Some("5433")]);
    }

    #[test]
    fn a_number_is_one() {
        let settings = complete(&[("PGCONNECT_TIMEOUT", "soon")], "keepalives_idle=60");
        assert_eq!(settings.number("keepalives_idle"), Ok(Some(60)));
        assert_eq!(settings.number("keepalives_count"), Ok(None));
        assert!(settings.number("connect_timeout").unwrap_err().contains("`connect_timeout`"));
    }
}

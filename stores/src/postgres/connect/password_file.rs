//! `~/.pgpass`: lines `HOST:PORT:DATABASE:USER:PASSWORD`, `*` for any, a backslash before a colon or backslash in a
//! part (PostgreSQL's manual, 34.16).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::environment::{Environment, Settings};

/// Others than the owner.
const OTHERS: u32 = 0o077;
const BYTES_MAX: u64 = 1 << 20;

/// Who wants to log in where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login<'a> {
    /// The host as it was named, or the folder of a socket; `localhost` for a socket in the usual place.
    pub(super) host: &'a str,
    /// The port.
    pub(super) port: u16,
    /// The database.
    pub(super) database: &'a str,
    /// The user.
    pub(super) user: &'a str,
}

/// The password file that applies.
#[derive(Debug)]
pub(super) struct PasswordFile {
    path: Option<PathBuf>,
    /// What was wrong with it, if it is there and was not used.
    pub(super) ignored: Option<String>,
    lines: Vec<[String; 5]>,
}

impl PasswordFile {
    /// Reads it. A file that is not there holds nothing; one that others may read is ignored, as `psql` does.
    pub(super) fn read(settings: &Settings, environment: &Environment) -> Self {
        let named = settings.get("passfile").map(PathBuf::from);
        let path = named.or_else(|| environment.home.as_ref().map(|home| home.join(".pgpass")));
        let read = path.as_deref().map_or(Ok(String::new()), contents);
        let (text, ignored) = match read {
            Ok(text) => (text, None),
            Err(reason) => (String::new(), Some(reason)),
        };
        Self { path, ignored, lines: text.lines().filter_map(parts).collect() }
    }

    /// The password of the first line that fits.
    pub(super) fn password(&self, login: Login<'_>) -> Option<&str> {
        let wanted = [login.host, &login.port.to_string(), login.database, login.user];
        let fits = |line: &&[String; 5]| line.iter().zip(wanted).all(|(part, wanted)| part == "*" || part == wanted);
        self.lines.iter().find(fits).map(|line| line[4].as_str()).filter(|password| !password.is_empty())
    }

    /// What a failed login should say of it.
    pub(super) fn remark(&self, used: bool) -> Option<String> {
        let path = self.path.as_ref()?.display();
        match &self.ignored {
            Some(reason) => Some(format!("`{path}` was not used: {reason}")),
            None => used.then(|| format!("the password came from `{path}`")),
        }
    }
}

fn contents(path: &Path) -> Result<String, String> {
    let Ok(metadata) = path.metadata() else { return Ok(String::new()) };
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    if metadata.permissions().mode() & OTHERS != 0 {
        return Err("others may read it; `chmod 600` makes it private".to_owned());
    }
    if metadata.len() > BYTES_MAX {
        return Err("it is longer than a mebibyte".to_owned());
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The five parts of a line. The password is the rest of the line, but for its backslashes and a colon at its end.
fn parts(line: &str) -> Option<[String; 5]> {
    if line.starts_with('#') {
        return None;
    }
    let mut parts: [String; 5] = Default::default();
    let mut at = 0;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => parts[at].extend(letters.next()),
            ':' if at == 4 => break,
            ':' => at += 1,
            _ => parts[at].push(letter),
        }
    }
    (at == 4).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> PasswordFile {
        PasswordFile { path: None, ignored: None, lines: text.lines().filter_map(parts).collect() }
    }

    const LOGIN: Login<'_> = Login { host: "h", port: 5432, database: "clinic", user: "ann" };

    #[test]
    fn the_first_line_that_fits_counts() {
        let found = |text: &str| file(text).password(LOGIN).map(str::to_owned);
        assert_eq!(found("h:5432:clinic:ann:one\nh:*:*:*:two").as_deref(), Some("one"));
        assert_eq!(found("h:5433:*:*:one\n*:*:clinic:ann:two\r\n").as_deref(), Some("two"));
        assert_eq!(found("#h:5432:clinic:ann:one\nh:5432:clinic\nother:*:*:*:x"), None);
        assert_eq!(found("*:*:*:*:a\\:b\\\\c").as_deref(), Some("a:b\\c"));
        assert_eq!(found("*:*:*:*:"), None);
        let socket = Login { host: "/run/a:b", ..LOGIN };
        assert_eq!(file("/run/a\\:b:*:*:*:x").password(socket), Some("x"));
    }
}

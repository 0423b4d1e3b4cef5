//! The text that names a PostgreSQL database, as `psql` knows it: `postgres://…`, or `host=… dbname=…`.
//!
//! Invariant: neither what is shown of it nor an error about it holds a password.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const PASSWORD: &str = "password";

/// The settings that are known, and the variable of the environment that speaks where the text is silent
/// (PostgreSQL's manual, 34.15).
pub(super) const SETTINGS: [(&str, &str); 22] = [
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("keepalives", ""),
    ("keepalives_count", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    (PASSWORD, "PGPASSWORD"),
    ("port", "PGPORT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("tcp_user_timeout", ""),
    ("user", "PGUSER"),
];

/// Names a database of PostgreSQL. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionText {
    written: String,
    shown: String,
    pub(super) settings: BTreeMap<&'static str, String>,
}

/// A text that names no database of PostgreSQL. It does not repeat the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionTextError {
    /// A part is not as it should be.
    #[error("the address of the PostgreSQL database cannot be read: {0}")]
    Malformed(&'static str),
    /// A setting that is not known here.
    #[error("the address of the PostgreSQL database has a setting that saddlebag does not know: `{}`", _0.escape_debug())]
    Unknown(String),
}

impl ConnectionTextError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "write postgres://USER@HOST:PORT/DATABASE; `@`, `:`, `/`, `?`, `#` and `%` in a part as %40, %3A, %2F, %3F, %23, %25"
    }
}

impl ConnectionText {
    /// Whether a text means to name a database of PostgreSQL, be it well made or not.
    #[must_use]
    pub fn is_meant_by(text: &str) -> bool {
        let keyword = text.split_once('=').map(|(keyword, _)| keyword.trim());
        text.starts_with("postgres:")
            || text.starts_with("postgresql:")
            || keyword.is_some_and(|keyword| SETTINGS.iter().any(|(known, _)| *known == keyword))
    }

    /// The text as it was written, with the password if it holds one.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// Whether the text itself holds a password.
    #[must_use]
    pub fn holds_a_password(&self) -> bool {
        self.settings.contains_key(PASSWORD)
    }
}

impl fmt::Display for ConnectionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for ConnectionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionText").field(&self.shown).finish()
    }
}

impl FromStr for ConnectionText {
    type Err = ConnectionTextError;

    fn from_str(text: &str) -> Result<Self, ConnectionTextError> {
        if text.chars().any(char::is_control) {
            return Err(ConnectionTextError::Malformed("it holds a control character"));
        }
        match SCHEMES.iter().find_map(|scheme| Some((*scheme, text.strip_prefix(scheme)?))) {
            Some((scheme, rest)) => from_url(text, scheme, rest),
            None if text.starts_with("postgres:") || text.starts_with("postgresql:") => {
                Err(ConnectionTextError::Malformed("behind `postgres:` stands `//`"))
            }
            None => from_keywords(text),
        }
    }
}

/// `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?SETTING=VALUE&…`; every part may be left out.
fn from_url(text: &str, scheme: &str, rest: &str) -> Result<ConnectionText, ConnectionTextError> {
    let mut settings = BTreeMap::new();
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let (authority, database) = place.split_once('/').map_or((place, None), |(at, database)| (at, Some(database)));
    let (credentials, hosts) = authority.split_once('@').map_or((None, authority), |(who, at)| (Some(who), at));
    let mut shown = scheme.to_owned();
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').map_or((credentials, None), |(user, it)| (user, Some(it)));
        put(&mut settings, "user", decoded(user)?)?;
        put(&mut settings, PASSWORD, decoded(password.unwrap_or_default())?)?;
        shown.push_str(user);
        shown.push('@');
    }
    put_hosts(&mut settings, hosts)?;
    put(&mut settings, "dbname", decoded(database.unwrap_or_default())?)?;
    shown.push_str(hosts);
    if let Some(database) = database {
        shown.push('/');
        shown.push_str(database);
    }
    let mut separator = '?';
    for setting in query.unwrap_or_default().split('&').filter(|setting| !setting.is_empty()) {
        let (name, value) = setting
            .split_once('=')
            .ok_or(ConnectionTextError::Malformed("behind the `?` stands something that is not SETTING=VALUE"))?;
        let name = decoded(name)?;
        put(&mut settings, &name, decoded(value)?)?;
        if name != PASSWORD {
            shown.push(separator);
            shown.push_str(setting);
            separator = '&';
        }
    }
    Ok(ConnectionText { written: text.to_owned(), shown, settings })
}

/// `HOST:PORT,[IPV6]:PORT,%2Ffolder%2Fof%2Fsocket`
fn put_hosts(settings: &mut BTreeMap<&'static str, String>, text: &str) -> Result<(), ConnectionTextError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for host_and_port in text.split(',') {
        let (host, port) = match host_and_port.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, "")) => (host, ""),
            Some((host, port)) => {
                let port = port.strip_prefix(':');
                (host, port.ok_or(ConnectionTextError::Malformed("behind the `]` stands something that is no port"))?)
            }
            None => host_and_port.split_once(':').unwrap_or((host_and_port, "")),
        };
        if host.contains('@') || port.contains('@') {
            return Err(ConnectionTextError::Malformed("there is more than one `@`; in a password it is %40"));
        }
        hosts.push(decoded(host)?.into_owned());
        ports.push(decoded(port)?.into_owned());
    }
    if ports.iter().any(|port| !port.is_empty()) {
        checked_ports(&ports.join(","))?;
        put(settings, "port", ports.join(",").into())?;
    }
    if hosts.iter().any(|host| !host.is_empty()) {
        put(settings, "host", hosts.join(",").into())?;
    }
    Ok(())
}

/// `KEYWORD=VALUE KEYWORD='VALUE WITH SPACES'`; a backslash stands before a quote or backslash in a value.
fn from_keywords(text: &str) -> Result<ConnectionText, ConnectionTextError> {
    let mut settings = BTreeMap::new();
    let mut shown = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, behind) = rest
            .split_once('=')
            .ok_or(ConnectionTextError::Malformed("it holds something that is not SETTING=VALUE"))?;
        let (value, end) = value(behind.trim_start())?;
        let name = name.trim();
        if name != PASSWORD {
            shown.push(format!("{name}={}", quoted(&value)));
        }
        put(&mut settings, name, value.into())?;
        rest = end.trim_start();
    }
    if settings.is_empty() {
        return Err(ConnectionTextError::Malformed("it names nothing"));
    }
    Ok(ConnectionText { written: text.to_owned(), shown: shown.join(" "), settings })
}

/// A value, and what follows it.
fn value(text: &str) -> Result<(String, &str), ConnectionTextError> {
    let inner = text.strip_prefix('\'');
    let text = inner.unwrap_or(text);
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            '\'' if inner.is_some() => return Ok((value, &text[at + 1..])),
            _ if inner.is_none() && letter.is_whitespace() => return Ok((value, &text[at..])),
            _ => value.push(letter),
        }
    }
    match inner {
        Some(_) => Err(ConnectionTextError::Malformed("a quote is opened and not closed")),
        None => Ok((value, "")),
    }
}

fn quoted(value: &str) -> Cow<'_, str> {
    if !value.is_empty() && !value.contains(|letter: char| letter.is_whitespace() || letter == '\'' || letter == '\\') {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")))
}

/// An empty value is as good as none; of two, the later one counts.
fn put(
    settings: &mut BTreeMap<&'static str, String>,
    name: &str,
    value: Cow<'_, str>,
) -> Result<(), ConnectionTextError> {
    let known = SETTINGS.iter().find(|(known, _)| *known == name);
    let (known, _) = known.ok_or_else(|| ConnectionTextError::Unknown(name.to_owned()))?;
    if *known == "port" {
        checked_ports(&value)?;
    }
    if value.is_empty() {
        settings.remove(known);
    } else {
        settings.insert(known, value.into_owned());
    }
    Ok(())
}

fn checked_ports(ports: &str) -> Result<(), ConnectionTextError> {
    let good = |port: &str| port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0);
    let malformed = ConnectionTextError::Malformed("a port is a number from 1 to 65535");
    if ports.split(',').all(good) { Ok(()) } else { Err(malformed) }
}

fn decoded(part: &str) -> Result<Cow<'_, str>, ConnectionTextError> {
    let malformed = || ConnectionTextError::Malformed("behind a `%` stand two hexadecimal digits");
    let two_digits = |after: &str| after.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if !part.split('%').skip(1).all(two_digits) {
        return Err(malformed());
    }
    let text = percent_decode_str(part).decode_utf8().map_err(|_| malformed())?;
    // No name, password or path on either side can hold it.
    if text.contains('\0') { Err(ConnectionTextError::Malformed("it holds a %00")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ConnectionText {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn settings(text: &str) -> String {
        let one = |(name, value): (&&str, &String)| format!("{name}={value}");
        read(text).settings.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn urls_are_read_as_psql_reads_them() {
        assert_eq!(settings("postgres://"), "");
        assert_eq!(settings("postgres:///clinic"), "dbname=clinic");
        assert_eq!(settings("postgresql://ann@h:5433/clinic"), "dbname=clinic host=h port=5433 user=ann");
        assert_eq!(settings("postgres://a:s%40cret@h/d"), "dbname=d host=h password=s@cret user=a");
        assert_eq!(settings("postgres://h1:1,h2,[::1]:3/d"), "dbname=d host=h1,h2,::1 port=1,,3");
        assert_eq!(settings("postgres://%2Frun%2Fpostgresql/d"), "dbname=d host=/run/postgresql");
        assert_eq!(settings("postgres:///d?host=/run/postgresql&user=u"), "dbname=d host=/run/postgresql user=u");
        assert_eq!(settings("postgres://h/d?sslmode=verify-full"), "dbname=d host=h sslmode=verify-full");
        assert_eq!(settings("postgres://u@h/one%2Ftwo"), "dbname=one/two host=h user=u");
        assert_eq!(settings("postgres://u:@h/d?dbname=e"), "dbname=e host=h user=u", "an empty password is none");
    }

    #[test]
    fn keywords_are_read_as_psql_reads_them() {
        assert_eq!(settings("host=h dbname = clinic"), "dbname=clinic host=h");
        assert_eq!(settings(r"password='a \'b\\ c' user=u"), r"password=a 'b\ c user=u");
        assert_eq!(settings(r"user=a\ b port=5433 "), "port=5433 user=a b");
        assert_eq!(settings("dbname='' host=h"), "host=h");
        assert!(ConnectionText::is_meant_by("dbname=clinic") && ConnectionText::is_meant_by("postgres:x"));
        assert!(!ConnectionText::is_meant_by("sqlite:a=b") && !ConnectionText::is_meant_by("clinic"));
    }

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("postgres://ann:s3cret@h:5433/d", "postgres://ann@h:5433/d"),
            ("postgresql://ann:s3cret@/d?host=/run", "postgresql://ann@/d?host=/run"),
            ("postgres://h/d?password=s3cret&sslmode=require", "postgres://h/d?sslmode=require"),
            ("postgres://h/d?pass%77ord=s3cret", "postgres://h/d"),
            ("host=h password='s3cret s3cret' dbname='a b'", "host=h dbname='a b'"),
            ("host=h password = s3cret", "host=h"),
        ] {
            let read = read(text);
            assert_eq!(read.to_string(), shown);
            assert!(!format!("{read:?}").contains("s3cret"));
            assert_eq!(read.as_written(), text);
            assert!(read.holds_a_password());
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_repeating_it() {
        for text in [
            "postgres://ann:s3@cret@h/d",
            "postgres://ann:s3cret/x@h/d",
            "postgres://ann:s3cret?x@h/d",
            "postgres://ann:s3cret%zz@h/d",
            "postgres://ann:s3cret%e4@h/d",
            "postgres://ann:s3cret@h:0/d",
            "postgres://ann:s3cret@h:port/d",
            "postgres://ann:s3cret@[::1/d?x",
            "postgres://ann:s3cret@[::1]5/d",
            "postgres://ann:s3cret@h/d%00",
            "postgres://ann:s3cret@h/d\n",
            "host=h password='s3cret",
            "host=h password=s3cret x",
            "",
            "postgres:ann:s3cret@h/d",
        ] {
            let error = text.parse::<ConnectionText>().unwrap_err();
            assert!(matches!(error, ConnectionTextError::Malformed(_)), "{text}: {error}");
            assert!(!error.to_string().contains("s3"), "{text}: {error}");
        }
        for text in ["postgres://h/d?service=x", "postgres://h/d?sslcrl=x", "host=h servce=x"] {
            assert!(matches!(text.parse::<ConnectionText>(), Err(ConnectionTextError::Unknown(_))), "{text}");
        }
    }
}

//! Connecting as people know it from `psql`: URL, TLS, password file, sockets.

mod certificate;
mod environment;
mod failure;
mod password_file;
mod session;
mod text;
mod tls;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::config::{ChannelBinding, SslMode, SslNegotiation, TargetSessionAttrs};
use postgres::{Client, Config, NoTls};

use self::environment::{Environment, Settings};
use self::failure::Failure;
use self::password_file::{Login, PasswordFile};
pub use self::text::{ConnectionText, ConnectionTextError};
use self::tls::{TlsMode, TlsPlan};
use crate::error::StoreError;

const PORT: u16 = 5432;
/// `psql` waits as long as the system does, which is minutes where a firewall swallows what is sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const APPLICATION_NAME: &str = "saddlebag";

/// Connects, and makes the session what saddlebag needs, whatever the server, the database or the user have as defaults.
///
/// # Errors
/// [`StoreError::Connect`], [`StoreError::OldServer`], and whatever the engine says.
pub(super) fn connect(url: &str) -> Result<Client, StoreError> {
    connect_from(url, &Environment::of_this_process())
}

fn connect_from(url: &str, environment: &Environment) -> Result<Client, StoreError> {
    let text: ConnectionText = url.parse().map_err(|error: ConnectionTextError| StoreError::Connect {
        url: "given for PostgreSQL".to_owned(),
        reason: error.to_string(),
        hint: error.hint(),
    })?;
    let failed = |failure: Failure| failure.of(&text);
    let attempt = Attempt::new(&text, environment).map_err(failed)?;
    let mut client = attempt.connect().map_err(failed)?;
    session::begin(&mut client, &text)?;
    Ok(client)
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// The folder of a socket.
    Socket(PathBuf),
    /// A name, and the address that it is to have.
    Network { host: String, address: Option<IpAddr> },
}

/// A place and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    place: Place,
    port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Socket(folder) => write!(f, "`{}/.s.PGSQL.{}`", folder.display(), self.port),
            Place::Network { host, address: None } => write!(f, "{host}, port {}", self.port),
            Place::Network { host, address: Some(address) } => write!(f, "{host} ({address}), port {}", self.port),
        }
    }
}

/// All that is known before anybody is called.
struct Attempt<'a> {
    settings: Settings,
    environment: &'a Environment,
    targets: Vec<Target>,
    user: String,
    database: String,
    passwords: PasswordFile,
    tls: TlsPlan,
    base: Config,
}

impl<'a> Attempt<'a> {
    fn new(text: &ConnectionText, environment: &'a Environment) -> Result<Self, Failure> {
        let settings = environment.complete(text);
        let user = settings.get("user").map(str::to_owned).or_else(|| environment.user.clone());
        let user = user.ok_or_else(|| Failure::setting("no user is named"))?;
        let database = settings.get("dbname").unwrap_or(&user).to_owned();
        let targets = targets(&settings, environment)?;
        let passwords = PasswordFile::read(&settings, environment);
        let tls = TlsPlan::new(&settings, environment).map_err(Failure::tls)?;
        let mut base = base(&settings)?;
        base.user(&user).dbname(&database);
        Ok(Self { settings, environment, targets, user, database, passwords, tls, base })
    }

    /// The first server that answers has the last word.
    fn connect(&self) -> Result<Client, Failure> {
        let mut failures = Vec::new();
        for target in &self.targets {
            match self.call(target) {
                Ok(client) => return Ok(client),
                Err(failure) if failure.is_final => return Err(failure),
                Err(failure) => failures.push(failure),
            }
        }
        Err(Failure::together(failures))
    }

    fn call(&self, target: &Target) -> Result<Client, Failure> {
        let mut config = self.base.clone();
        config.port(target.port);
        let mut mode = self.tls.mode;
        match &target.place {
            // TLS is not spoken over sockets, whatever was asked for.
            Place::Socket(folder) => {
                mode = TlsMode::Disable;
                config.host_path(folder);
            }
            Place::Network { host, address } => {
                config.host(host);
                address.map(|address| config.hostaddr(address));
            }
        }
        let from_file = self.password(target, &mut config);
        let failed = |error: postgres::Error| {
            let remark = self.passwords.remark(from_file);
            Failure::of_login(target, &self.user, &self.database, &error, remark)
        };
        if mode == TlsMode::Disable {
            return config.ssl_mode(SslMode::Disable).connect(NoTls).map_err(failed);
        }
        let connector = self.tls.connector().map_err(Failure::tls)?;
        let ssl_mode = if mode == TlsMode::Prefer { SslMode::Prefer } else { SslMode::Require };
        let encrypted = config.ssl_mode(ssl_mode).connect(connector);
        match encrypted {
            // As `psql`: where TLS is only preferred, what it does not reach may be reached without.
            Err(error) if mode == TlsMode::Prefer && failure::may_do_without_tls(&error) => {
                config.ssl_mode(SslMode::Disable).connect(NoTls).map_err(failed)
            }
            other => other.map_err(failed),
        }
    }

    /// Puts the password in; whether it came from the password file.
    fn password(&self, target: &Target, config: &mut Config) -> bool {
        if let Some(password) = self.settings.get("password") {
            config.password(password);
            return false;
        }
        let named;
        let host = match &target.place {
            Place::Socket(folder) if self.environment.socket_folders.contains(folder) => "localhost",
            Place::Socket(folder) => {
                named = folder.display().to_string();
                &named
            }
            Place::Network { host, .. } => host,
        };
        let login = Login { host, port: target.port, database: &self.database, user: &self.user };
        let password = self.passwords.password(login);
        password.map(|password| config.password(password)).is_some()
    }
}

/// Where to call, in the order of the text.
fn targets(settings: &Settings, environment: &Environment) -> Result<Vec<Target>, Failure> {
    let list = |name: &str| settings.get(name).map(|text| text.split(',').map(str::trim).collect::<Vec<_>>());
    let (hosts, addresses) = (list("host"), list("hostaddr"));
    let count = hosts.as_ref().or(addresses.as_ref()).map_or(1, Vec::len);
    let ports = list("port").unwrap_or_default();
    if addresses.as_ref().is_some_and(|addresses| addresses.len() != count) || (ports.len() > 1 && ports.len() != count)
    {
        return Err(Failure::setting("there are not as many ports or addresses as hosts"));
    }
    let at = |list: &Option<Vec<&str>>, index: usize| {
        let found = list.as_ref().and_then(|list| list.get(index).copied());
        found.unwrap_or_default().to_owned()
    };
    (0..count)
        .map(|index| {
            let port = ports.get(index).or(ports.first()).filter(|port| !port.is_empty());
            let port = port.map_or(Ok(PORT), |port| port.parse());
            let port = port.map_err(|_| Failure::setting("a port is a number from 1 to 65535"))?;
            target(at(&hosts, index), &at(&addresses, index), port, environment)
        })
        .collect()
}

fn target(host: String, address: &str, port: u16, environment: &Environment) -> Result<Target, Failure> {
    let place = if address.is_empty() && host.is_empty() {
        let looked = || environment.socket_folders.iter().map(|folder| format!("`{}`", folder.display()));
        let none = || Failure::no_socket(port, &looked().collect::<Vec<_>>().join(", "));
        Place::Socket(environment.socket_folder(port).ok_or_else(none)?.to_owned())
    } else if address.is_empty() && host.starts_with('/') {
        Place::Socket(Path::new(&host).to_owned())
    } else if address.is_empty() {
        Place::Network { host, address: None }
    } else {
        let parsed = address.parse().map_err(|_| Failure::setting("`hostaddr` is an address in numbers"))?;
        let host = if host.is_empty() { address.to_owned() } else { host };
        Place::Network { host, address: Some(parsed) }
    };
    Ok(Target { place, port })
}

/// What is the same for every target.
fn base(settings: &Settings) -> Result<Config, Failure> {
    let mut config = Config::new();
    config.application_name(settings.get("application_name").unwrap_or(APPLICATION_NAME));
    settings.get("options").map(|options| config.options(options));
    let seconds = |name: &str| {
        let number = settings.number(name).map_err(|reason| Failure::setting(&reason))?;
        Ok(number.and_then(|number| u64::try_from(number).ok()))
    };
    // `psql` takes 0 and less for: as long as it takes.
    match seconds("connect_timeout")? {
        None if settings.get("connect_timeout").is_some() => &mut config,
        None => config.connect_timeout(CONNECT_TIMEOUT),
        Some(0) => &mut config,
        Some(wanted) => config.connect_timeout(Duration::from_secs(wanted.max(2))),
    };
    config.keepalives(seconds("keepalives")? != Some(0));
    let positive = |name: &str| Ok::<_, Failure>(seconds(name)?.filter(|number| *number > 0));
    positive("keepalives_idle")?.map(|idle| config.keepalives_idle(Duration::from_secs(idle)));
    positive("keepalives_interval")?.map(|interval| config.keepalives_interval(Duration::from_secs(interval)));
    let count = positive("keepalives_count")?.and_then(|count| u32::try_from(count).ok());
    count.map(|count| config.keepalives_retries(count));
    positive("tcp_user_timeout")?.map(|wait| config.tcp_user_timeout(Duration::from_millis(wait)));
    config.target_session_attrs(match settings.get("target_session_attrs") {
        None | Some("any") => TargetSessionAttrs::Any,
        Some("read-write" | "primary") => TargetSessionAttrs::ReadWrite,
        Some(_) => return Err(Failure::setting("`target_session_attrs` is any, read-write or primary")),
    });
    config.channel_binding(match settings.get("channel_binding") {
        None | Some("prefer") => ChannelBinding::Prefer,
        Some("require") => ChannelBinding::Require,
        Some("disable") => ChannelBinding::Disable,
        Some(_) => return Err(Failure::setting("`channel_binding` is disable, prefer or require")),
    });
    if settings.get("sslnegotiation") == Some("direct") {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn environment(home: Option<PathBuf>) -> Environment {
        Environment { variables: BTreeMap::new(), home, user: Some("me".to_owned()), socket_folders: Vec::new() }
    }

    fn places(text: &str) -> Result<String, String> {
        let environment = environment(None);
        let settings = environment.complete(&text.parse().unwrap());
        let found = targets(&settings, &environment).map_err(|failure| failure.reason)?;
        Ok(found.iter().map(Target::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn places_are_called_in_their_order() {
        assert_eq!(places("postgres://a:1,b/d").as_deref(), Ok("a, port 1; b, port 5432"));
        assert_eq!(places("host=a,b port=7").as_deref(), Ok("a, port 7; b, port 7"));
        assert_eq!(places("postgres://%2Frun/d").as_deref(), Ok("`/run/.s.PGSQL.5432`"));
        assert_eq!(places("hostaddr=192.0.2.1 host=a").as_deref(), Ok("a (192.0.2.1), port 5432"));
        assert_eq!(places("hostaddr=::1").as_deref(), Ok("::1 (::1), port 5432"));
        for bad in ["host=a,b port=1,2,3", "hostaddr=a", "host=a,b hostaddr=192.0.2.1"] {
            assert!(places(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_named_and_the_password_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().display().to_string();
        let url = format!("postgres://ann:s3cret@/clinic?host={socket},{socket}/other");
        let error = connect_from(&url, &environment(None)).err().unwrap();
        let words = format!("{error} {} {error:?}", error.hint());
        assert!(words.contains(&format!("`{socket}/.s.PGSQL.5432`: No such file")), "{words}");
        assert!(words.contains(&format!("`{socket}/other/.s.PGSQL.5432`: No such file")), "{words}");
        assert!(!words.contains("s3cret") && words.contains("ann@"), "{words}");
        let error = connect_from("postgres:///clinic", &environment(None)).err().unwrap();
        assert!(error.to_string().contains("no server"), "{error}");
    }

    #[test]
    fn a_password_file_is_asked_by_host_port_database_and_user() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".pgpass");
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), b"h:5432:d:me:s3cret\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let environment = environment(Some(home.path().to_owned()));
        let password = |text: &str| {
            let attempt = Attempt::new(&text.parse().unwrap(), &environment).unwrap();
            let mut config = Config::new();
            let from_file = attempt.password(&attempt.targets[0], &mut config);
            let found = config.get_password().map(|password| String::from_utf8(password.to_vec()).unwrap());
            (found, from_file, attempt.passwords.ignored.is_some())
        };
        mode(0o600);
        assert_eq!(password("postgres://h/d"), (Some("s3cret".to_owned()), true, false));
        assert_eq!(password("postgres://h/other"), (None, false, false));
        assert_eq!(password("postgres://me:mine@h/d"), (Some("mine".to_owned()), false, false));
        mode(0o640);
        assert_eq!(password("postgres://h/d"), (None, false, true));
    }
}

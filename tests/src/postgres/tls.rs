//! A PostgreSQL that listens at a port and speaks TLS, with certificates of an authority of its own.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use postgres::{Client, Config, NoTls};

use super::cluster::{Cluster, programs};

/// Who may come in how. All roles but `postgres` have the password `s3cret`.
const WHO_MAY: &str = "\
local   all all         trust
hostssl all tls_only    127.0.0.1/32 scram-sha-256
hostssl all certified   127.0.0.1/32 cert
hostnossl all plain_only 127.0.0.1/32 scram-sha-256
host    all locked      127.0.0.1/32 scram-sha-256
host    all old_style   127.0.0.1/32 md5
";
const ROLES: &str = "\
    CREATE ROLE tls_only LOGIN PASSWORD 's3cret'; CREATE ROLE plain_only LOGIN PASSWORD 's3cret';
    CREATE ROLE locked LOGIN PASSWORD 's3cret'; CREATE ROLE certified LOGIN;
    SET password_encryption = md5; CREATE ROLE old_style LOGIN PASSWORD 's3cret'; RESET password_encryption;
    CREATE ROLE shut_out LOGIN PASSWORD 's3cret'";
/// Somebody else may take a free port before the server does.
const TRIES_MAX: usize = 10;

/// The server. Its certificate names the host `localhost`, by the subject's common name alone.
#[derive(Debug)]
pub struct TlsServer {
    /// It listens on 127.0.0.1.
    pub port: u16,
    /// `root.crt`, `server.crt`, `other.crt` (of an authority that has signed nothing), `certified.crt` with
    /// `certified.key`.
    pub certificates: PathBuf,
    cluster: Cluster,
    _folder: tempfile::TempDir,
}

impl TlsServer {
    /// The server of this process; the reason, where there can be none.
    ///
    /// # Errors
    /// What is not installed.
    ///
    /// # Panics
    /// When it is installed and does not run.
    pub fn shared() -> Result<&'static Self, &'static str> {
        static SHARED: OnceLock<Result<TlsServer, &'static str>> = OnceLock::new();
        let made = SHARED.get_or_init(|| {
            let programs = programs().ok_or("no PostgreSQL is installed")?;
            if Command::new("openssl").arg("version").output().is_err() {
                return Err("no `openssl` is installed");
            }
            Ok(Self::start(&programs))
        });
        made.as_ref().map_err(|missing| *missing)
    }

    fn start(programs: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = folder.path().to_owned();
        make_certificates(&certificates);
        let mut port = 0;
        let started = (0..TRIES_MAX).find_map(|_| {
            port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            Cluster::start(programs, |data| prepare(data, &certificates, port)).ok()
        });
        let server = Self { port, certificates, cluster: started.unwrap(), _folder: folder };
        server.administrator().batch_execute(ROLES).unwrap();
        server
    }

    /// A connection of the administrator, over the socket.
    ///
    /// # Panics
    /// When there can be none.
    #[must_use]
    pub fn administrator(&self) -> Client {
        let mut config = Config::new();
        config
            .host_path(self.cluster.socket_folder())
            .port(self.port)
            .user("postgres")
            .dbname("postgres")
            .connect(NoTls)
            .unwrap()
    }
}

fn prepare(data: &Path, certificates: &Path, port: u16) -> String {
    let owner = data.metadata().unwrap();
    for (name, mode) in [("root.crt", 0o644), ("server.crt", 0o644), ("server.key", 0o600)] {
        let copy = data.join(name);
        std::fs::copy(certificates.join(name), &copy).unwrap();
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(mode)).unwrap();
        chown(&copy, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(data.join("pg_hba.conf"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, WHO_MAY.as_bytes()))
        .unwrap();
    format!(
        "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c ssl_cert_file=server.crt -c ssl_key_file=server.key \
         -c ssl_ca_file=root.crt"
    )
}

fn make_certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    };
    for authority in ["root", "other"] {
        openssl(&format!(
            "req -new -x509 -nodes -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.crt"
        ));
    }
    // Without an extension it would be a certificate of version 1, which nobody should make any more.
    let mut extensions = std::fs::File::create(folder.join("extensions")).unwrap();
    std::io::Write::write_all(&mut extensions, b"basicConstraints=CA:FALSE\n").unwrap();
    for (name, subject) in [("server", "localhost"), ("certified", "certified")] {
        openssl(&format!("req -new -nodes -subj /CN={subject} -keyout {name}.key -out {name}.csr"));
        openssl(&format!(
            "x509 -req -days 2 -in {name}.csr -CA root.crt -CAkey root.key -CAcreateserial -extfile extensions -out \
             {name}.crt"
        ));
    }
}

//! Connecting to a live PostgreSQL: who comes in, how, and what is said to those who do not.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use saddlebag_stores::StoreError;
use saddlebag_stores::postgres::PostgresStore;
use saddlebag_tests::postgres::Cluster;
use saddlebag_tests::postgres::tls::TlsServer;
use saddlebag_tests::skip::skipped;

/// The words of an error, its hint behind them.
fn refusal(url: &str) -> String {
    let error = PostgresStore::open(url).map(drop).expect_err(url);
    let words = format!("{error}\n{}", error.hint());
    assert!(!format!("{words}{error:?}").contains("s3cret"), "{words}");
    words
}

fn cluster(test: &str) -> Option<&'static Cluster> {
    let cluster = Cluster::shared();
    if cluster.is_none() {
        skipped(test, "no PostgreSQL is installed");
    }
    cluster
}

fn tls_server(test: &str) -> Option<&'static TlsServer> {
    TlsServer::shared().map_err(|missing| skipped(test, missing)).ok()
}

#[test]
fn a_socket_is_named_in_each_way_that_psql_knows() {
    let Some(cluster) = cluster("postgres_connect::a_socket") else { return };
    let database = cluster.database();
    let encoded = database.url().strip_prefix("postgres://postgres@").unwrap().split_once('/').unwrap().0;
    let (folder, name) = (encoded.replace("%2F", "/"), database.name());
    for url in [
        format!("postgres://postgres@{encoded}/{name}"),
        format!("postgresql:///{name}?host={folder}&user=postgres"),
        format!("host='{folder}' dbname={name} user=postgres sslmode=verify-full sslrootcert=/nowhere"),
        format!("postgres://postgres@/{name}?host={folder}/elsewhere,{folder}"),
    ] {
        let opened = PostgresStore::open(&url);
        assert!(opened.is_ok(), "{url}: {}", opened.unwrap_err());
    }
}

#[test]
fn what_is_not_there_is_named() {
    let Some(cluster) = cluster("postgres_connect::what_is_not_there") else { return };
    let database = cluster.database();
    let words = refusal(&database.url().replace(database.name(), "nothing_of_this_name"));
    assert!(words.contains("database \"nothing_of_this_name\" does not exist\ncreate it with `createdb`"), "{words}");
    let words = refusal(&database.url_of("nobody"));
    assert!(words.contains("role \"nobody\" does not exist\nname the user who may"), "{words}");
    cluster
        .administer(&format!("REVOKE CONNECT ON DATABASE {} FROM public; CREATE ROLE kept_out LOGIN", database.name()));
    let words = refusal(&database.url_of("kept_out"));
    assert!(words.contains("permission denied for database") && words.contains("GRANT CONNECT"), "{words}");
    let words = refusal("postgres://ann:s3cret@127.0.0.1:1/clinic");
    assert!(words.contains("postgres://ann@127.0.0.1:1/clinic cannot be reached: 127.0.0.1, port 1: "), "{words}");
    assert!(words.contains("start the server"), "{words}");
}

#[test]
fn a_password_is_asked_for_and_taken_from_where_psql_takes_it() {
    let Some(server) = tls_server("postgres_connect::a_password") else { return };
    let port = server.port;
    let at = format!("127.0.0.1:{port}/postgres");
    for user in ["locked", "old_style", "tls_only", "plain_only"] {
        let opened = PostgresStore::open(&format!("postgres://{user}:s3cret@{at}"));
        assert!(opened.is_ok(), "{user}: {}", opened.unwrap_err());
    }
    let words = refusal(&format!("postgres://locked:s3crets@{at}"));
    assert!(
        words.contains("password authentication failed for user \"locked\"\nput the password into ~/.pgpass"),
        "{words}"
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    write(&file, &format!("127.0.0.1:{port}:other:*:wrong\n127.0.0.1:{port}:postgres:locked:s3cret\n"));
    let url = format!("postgres://locked@{at}?passfile={}", file.display());
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    assert!(PostgresStore::open(&url).is_ok());
    mode(0o644);
    let words = refusal(&url);
    assert!(words.contains("asks locked for a password for postgres, and none is known"), "{words}");
    assert!(words.contains("passwords` was not used: others may read it; `chmod 600`"), "{words}");
    mode(0o600);
    write(&file, "*:*:*:*:s3cret of another\n");
    let words = refusal(&url);
    assert!(words.contains("the password came from `") && words.contains("passwords`"), "{words}");
}

#[test]
fn each_sslmode_does_what_psql_does() {
    let Some(server) = tls_server("postgres_connect::each_sslmode") else { return };
    let file = |name: &str| server.certificates.join(name).display().to_string();
    let (root, own, other) = (file("root.crt"), file("server.crt"), file("other.crt"));
    let mut number = 0;
    // The host, the user, settings, and whether the connection is encrypted.
    for (host, user, settings, encrypted) in [
        ("127.0.0.1", "locked", "", true),
        ("127.0.0.1", "locked", "sslmode=disable", false),
        ("127.0.0.1", "locked", "sslmode=prefer", true),
        ("127.0.0.1", "locked", "sslmode=require", true),
        // Refused with TLS, so tried without.
        ("127.0.0.1", "plain_only", "sslmode=prefer", false),
        ("127.0.0.1", "tls_only", "sslmode=prefer", true),
        ("127.0.0.1", "locked", &format!("sslmode=verify-ca&sslrootcert={root}"), true),
        ("localhost", "locked", &format!("sslmode=verify-full&sslrootcert={root}&hostaddr=127.0.0.1"), true),
        // The server's own certificate, as people copy it to those who are to trust it.
        ("localhost", "locked", &format!("sslmode=verify-full&sslrootcert={own}&hostaddr=127.0.0.1"), true),
        ("127.0.0.1", "locked", "sslmode=require&channel_binding=require", true),
        (
            "127.0.0.1",
            "certified",
            &format!("sslmode=require&sslcert={}&sslkey={}", file("certified.crt"), file("certified.key")),
            true,
        ),
    ] {
        // Each has a name of its own in the server's list of sessions.
        number += 1;
        let (name, port) = (format!("session_{number}"), server.port);
        let url = format!("postgres://{user}:s3cret@{host}:{port}/postgres?application_name={name}&{settings}");
        let store = PostgresStore::open(&url).unwrap_or_else(|error| panic!("{user} {settings}: {error}"));
        let sessions = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1";
        let sessions = server.administrator().query(sessions, &[&name]).unwrap();
        assert_eq!(sessions.iter().map(|row| row.get(0)).collect::<Vec<bool>>(), [encrypted], "{user} {settings}");
        drop(store);
    }
    for (host, settings, reason) in [
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={root}"), "it is that of another host"),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={other}&hostaddr=127.0.0.1"),
            "no authority that is trusted here",
        ),
        ("127.0.0.1", format!("sslmode=require&sslrootcert={other}"), "no authority that is trusted here"),
        ("localhost", "sslrootcert=system&hostaddr=127.0.0.1".to_owned(), "no authority that is trusted here"),
        (
            "127.0.0.1",
            "sslmode=verify-ca&sslrootcert=/nowhere/root.crt".to_owned(),
            "`/nowhere/root.crt` cannot be read",
        ),
        ("127.0.0.1", "sslmode=allow".to_owned(), "`sslmode` is disable, prefer"),
    ] {
        let words = refusal(&format!("postgres://locked:s3cret@{host}:{}/postgres?{settings}", server.port));
        assert!(words.contains(reason) && words.contains("docs/postgresql.md"), "{settings}: {words}");
    }
    let words = refusal(&format!("postgres://tls_only:s3cret@127.0.0.1:{}/postgres?sslmode=disable", server.port));
    assert!(words.contains("no pg_hba.conf entry") && words.contains("pg_hba.conf says who"), "{words}");
    // Whom the server lets in neither with nor without, even where TLS is only preferred.
    let words = refusal(&format!("postgres://shut_out:s3cret@127.0.0.1:{}/postgres", server.port));
    assert!(words.contains("no pg_hba.conf entry"), "{words}");
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 8];
        std::io::Read::read_exact(&mut stream, &mut request).unwrap();
        stream.write_all(b"N").unwrap();
    });
    let words = refusal(&format!("postgres://ann:s3cret@127.0.0.1:{port}/clinic?sslmode=require"));
    answering.join().unwrap();
    assert!(words.contains("does not speak TLS, and `sslmode` asks for it") && words.contains("`ssl = on`"), "{words}");
}

#[test]
fn an_unknown_setting_is_refused_without_the_text() {
    let error = PostgresStore::open("postgres://ann:s3cret@h/d?servce=x").map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Connect { .. }));
    assert!(refusal("postgres://ann:s3cret@h/d?servce=x").contains("does not know: `servce`"));
}

fn write(path: &Path, text: &str) {
    File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn init_says_which_rights_are_missing_and_shows_no_password() {
    let Some(cluster) = cluster("postgres_connect::init_says") else { return };
    let database = cluster.database();
    let (name, folder) = (database.name(), tempfile::tempdir().unwrap());
    let (owner, role) = (format!("{name}_app"), format!("{name}_sb"));
    cluster.administer(&format!("CREATE ROLE {owner}; CREATE ROLE {role} LOGIN"));
    let tables =
        "CREATE TABLE visit (id int PRIMARY KEY, note text); CREATE TABLE line (id int PRIMARY KEY, visit int)";
    database.client().batch_execute(tables).unwrap();
    for table in ["visit", "line"] {
        database.client().batch_execute(&format!("ALTER TABLE {table} OWNER TO {owner}")).unwrap();
    }
    let url = database.url_of(&format!("{role}:s3cret"));
    let node = folder.path().join("clinic");
    let init = || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let arguments = ["saddlebag", "--node", node.to_str().unwrap(), "init", "clinic", "--database", &url];
        let exit = saddlebag::run(arguments, &mut out, &mut err);
        let said = String::from_utf8([out, err].concat()).unwrap();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!said.contains("s3cret"), "{said}");
        (exit, said)
    };
    let (exit, said) = init();
    assert_eq!(exit, saddlebag::Exit::Failed, "{said}");
    for missing in [
        format!("GRANT CREATE ON DATABASE {name} TO {role}"),
        format!("triggers are for the owner of public.line and public.visit: GRANT {owner} TO {role}"),
    ] {
        assert!(said.contains(&missing), "{said}");
    }
    assert!(said.contains("docs/postgresql.md") && !node.exists(), "{said}");
    cluster.administer(&format!("GRANT CREATE ON DATABASE {name} TO {role}; GRANT {owner} TO {role}"));
    let (exit, said) = init();
    assert_eq!(exit, saddlebag::Exit::Done, "{said}");
    let written = std::fs::read_to_string(node.join("saddlebag.toml")).unwrap();
    assert!(written.contains(&url), "the password stands in saddlebag.toml alone: {written}");
    assert_eq!(node.join("saddlebag.toml").metadata().unwrap().permissions().mode() & 0o077, 0);
}

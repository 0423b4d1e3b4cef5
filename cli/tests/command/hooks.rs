//! `[hooks]`: who is told of what an import has changed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use serde_json::{Value, json};

use crate::json::check;
use crate::places::{Places, put, words};

/// Adds `[hooks]` to the configuration of the ministry.
fn hooks(places: &Places, text: &str) {
    let path = places.path("ministry/saddlebag.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let config = config.split("\n[hooks]").next().unwrap();
    put(&path, format!("{config}\n[hooks]\n{text}\n").as_bytes());
}

/// A script in the ministry's folder.
fn script(places: &Places, name: &str, text: &str) {
    let path = places.path("ministry").join(name);
    put(&path, format!("#!/bin/sh\n{text}\n").as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn told(places: &Places) -> Vec<Value> {
    let text = std::fs::read_to_string(places.path("ministry/told")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_program_is_told_what_changed_and_nothing_when_nothing_did() {
    let places = Places::linked();
    script(&places, "tell", "cat >> told\necho \"$1 dropped\"");
    hooks(&places, "after_import = [['./tell', 'all caches']]");
    places.at("ministry", &["import", "stick"]).ends(0);
    places.execute("clinic", "INSERT INTO facility (code, name) VALUES ('C7', 'Clinic 7')");
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada'), ('u-2', 'Ben')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick", "--dry-run"]).ends(0);
    assert_eq!(told(&places), Vec::<Value>::new());
    let synced = places.at("ministry", &["sync", "stick"]).ends(0);
    assert!(words(&synced.err).contains("all caches dropped"), "{}", synced.err);
    let [message] = told(&places).try_into().unwrap();
    assert_eq!(
        message["tables"],
        json!([
            { "table": "facility", "written": 1, "deleted": 0 },
            { "table": "patient", "written": 2, "deleted": 0 },
        ])
    );
    assert_eq!((&message["node"], &message["attempt"]), (&json!("ministry"), &json!(1)));
    assert_eq!(message["incomplete"], false);
    places.execute("clinic", "DELETE FROM patient WHERE name = 'Ben'");
    places.at("clinic", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(0);
    places.at("ministry", &["sync", "stick"]).ends(0);
    let [_, second] = told(&places).try_into().unwrap();
    assert_eq!(second["tables"], json!([{ "table": "patient", "written": 0, "deleted": 1 }]));
}

#[test]
fn a_program_that_fails_holds_nothing_up_and_is_told_later() {
    let places = Places::linked();
    script(&places, "tell", "test -e mended || { echo no such cache; exit 3; }\ncat >> told");
    hooks(&places, "after_import = ['./tell']");
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let failed = places.at("ministry", &["sync", "stick"]).ends(0);
    assert!(words(&failed.err).contains("warning: the hook `./tell` failed: it ended with exit status: 3"));
    assert!(words(&failed.err).contains("./tell: no such cache"), "{}", failed.err);
    assert!(failed.out.contains("may be pulled out"), "{}", failed.out);
    assert_eq!(places.patients("ministry"), ["Ada@-"]);

    let status = places.at("ministry", &["status"]).ends(0);
    assert!(words(&status.err).contains("the hook `./tell` has been failing since 20"), "{}", status.err);
    let status = places.at("ministry", &["status", "--json"]).ends(0).json();
    check("status", &status);
    assert_eq!((&status["hooks"][0]["attempts"], &status["hooks"][0]["hook"]), (&json!(1), &json!("./tell")));
    assert!(status["hooks"][0]["failing_since"].is_string());

    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-2', 'Ben')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let failed = places.at("ministry", &["sync", "stick", "--json"]).ends(0).json();
    check("sync, export and import", &failed);
    assert_eq!(failed["hooks"][0]["result"], "failed");
    // Having failed twice, it is left alone for a while; a new attempt is made once that is over.
    put(&places.path("ministry/mended"), b"");
    let waiting = places.at("ministry", &["sync", "stick", "--json"]).ends(0).json();
    assert_eq!(waiting["hooks"][0]["result"], "waiting");
    let file = places.path("ministry/after-import");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    kept["hooks"][0]["last_attempt_ms"] = json!(0);
    put(&file, kept.to_string().as_bytes());
    let told_now = places.at("ministry", &["sync", "stick"]).ends(0);
    assert!(!told_now.err.contains("warning"), "{}", told_now.err);
    let [message] = told(&places).try_into().unwrap();
    assert_eq!(message["tables"], json!([{ "table": "patient", "written": 2, "deleted": 0 }]));
    assert_eq!(message["attempt"], 3);
    assert!(!file.exists());
    assert_eq!(places.at("ministry", &["status", "--json"]).ends(0).json()["hooks"], json!([]));
}

#[test]
fn a_program_that_takes_too_long_is_ended() {
    let places = Places::linked();
    script(&places, "tell", "exec sleep 1000");
    hooks(&places, "after_import = ['./tell']\nseconds = 1");
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let failed = places.at("ministry", &["sync", "stick"]).ends(0);
    assert!(words(&failed.err).contains("it took longer than 1 s and was ended"), "{}", failed.err);
    assert_eq!(places.patients("ministry"), ["Ada@-"]);
}

#[test]
fn an_import_that_was_cut_off_is_told_as_incomplete() {
    let places = Places::linked();
    script(&places, "tell", "cat >> told");
    hooks(&places, "after_import = ['./tell']");
    put(&places.path("ministry/after-import"), b"{\"is_importing\":true,\"hooks\":[]}");
    places.at("ministry", &["sync", "stick"]).ends(0);
    let [message] = told(&places).try_into().unwrap();
    assert_eq!((&message["incomplete"], &message["tables"]), (&json!(true), &json!([])));
}

#[test]
fn an_address_is_told_and_its_password_is_never_shown() {
    let places = Places::linked();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    hooks(&places, &format!("after_import = ['http://me:secret@127.0.0.1:{port}/cleardbcache']"));
    let server = thread::spawn(move || {
        ["503 Starting", "204 Done"].map(|answer| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"]}\n") {
                let mut buffer = [0; 4096];
                let count = stream.read(&mut buffer).unwrap();
                assert!(count > 0, "the request ended early");
                bytes.extend_from_slice(&buffer[..count]);
            }
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(bytes).unwrap()
        })
    });
    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    places.at("clinic", &["sync", "stick"]).ends(0);
    let [bundle] = places.bundles_for("ministry").try_into().unwrap();
    let failed = places.at("ministry", &["import", &bundle]).ends(0);
    let said = words(&failed.err);
    assert!(said.contains("failed: it answered 503"), "{said}");
    assert!(said.contains("http://me@127.0.0.1") && !said.contains("secret"), "{said}");
    let told = places.at("ministry", &["import", &bundle, "--json"]).ends(0).json();
    assert_eq!(told["hooks"][0]["result"], "told");
    let requests = server.join().unwrap();
    for (request, attempt) in requests.iter().zip(1..) {
        assert!(request.starts_with("POST /cleardbcache HTTP/1.1\r\n"), "{request}");
        assert!(request.to_ascii_lowercase().contains("authorization: basic bwu6c2vjcmv0"), "{request}");
        let message: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(message["tables"], json!([{ "table": "patient", "written": 1, "deleted": 0 }]));
        assert_eq!(message["attempt"], attempt);
    }
}

#[test]
fn a_hook_that_could_mean_two_things_is_refused_with_its_line() {
    let places = Places::linked();
    hooks(&places, "after_import = ['clear-caches --all']");
    places.at("ministry", &["status"]).fails(1, "`clear-caches --all` is no program", "correct this line");
}

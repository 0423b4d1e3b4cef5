//! A bundle opens with the tools that every system has, by the very commands that `docs/format.md` prints.
//!
//! Never skipped: who loses this program must still get at the records.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use saddlebag_tests::engines::SQLITE;
use saddlebag_tests::fleet::{Fleet, FleetPlan, temporary_folder};

const FORMAT: &str = include_str!("../../../docs/format.md");

/// More records than one member takes (10,000), so that there are two of `changes`.
const ROWS: u32 = 10_500;

const TABLES: &str = "[note]\nidentity = 'assigned'";

/// A bundle on disk, with the keys of everybody around it.
struct Scene {
    folder: tempfile::TempDir,
    bundle: PathBuf,
    header: serde_json::Value,
    /// The header's ids as the member `bundle` holds them: deployment, id, from, to.
    ids: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        for tool in ["bash", "head", "tail", "age", "zstd", "tar", "sha256sum"] {
            let there = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(
                there.is_ok(),
                "`{tool}` is missing, and this test is never skipped: run ./test, which installs it"
            );
        }
        let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed: 4, engines: SQLITE };
        let mut fleet = Fleet::new(&plan, |index, app| {
            app.execute_batch("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, weight REAL)").unwrap();
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                       INSERT INTO note (text, weight) SELECT 'note ' || i, i / 10.0 FROM n";
            app.execute(sql, [if index == 1 { ROWS } else { 1 }]).unwrap();
        });
        let bundles = fleet.export(1, 0);
        assert_eq!(bundles.len(), 1);
        let folder = temporary_folder();
        let bundle = folder.path().join("clinic-to-ministry.sbag");
        copy(&bundle, &bundles[0]);
        for (node, name) in fleet.nodes.iter().zip(["receiver", "sender"]) {
            node.keys.save(&folder.path().join(name)).unwrap();
        }
        let line = bundles[0].split(|byte| *byte == b'\n').nth(1).unwrap();
        let header: serde_json::Value = serde_json::from_slice(line).unwrap();
        let ids = ["deployment", "id", "from", "to"].map(|field| id_bytes(header[field].as_str().unwrap())).concat();
        Self { folder, bundle, header, ids }
    }

    fn key(&self, whose: &str) -> PathBuf {
        self.folder.path().join(whose).join("sealing.key")
    }

    /// Runs a command line: `FILE` is the bundle, `KEY` the sealing key of `whose`.
    fn run(&self, line: &str, whose: &str) -> Output {
        let line = line.replace("FILE", "\"$1\"").replace("KEY", "\"$2\"");
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", &line, "bash"]).args([&self.bundle, &self.key(whose)]);
        command.env("LC_ALL", "C").env("TZ", "UTC").output().unwrap()
    }

    fn told(&self, line: &str) -> Vec<u8> {
        let output = self.run(line, "receiver");
        assert!(output.status.success(), "`{line}`: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn told_text(&self, line: &str) -> String {
        String::from_utf8(self.told(line)).unwrap()
    }
}

fn copy(path: &Path, bytes: &[u8]) {
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), bytes).unwrap();
}

/// The 16 bytes that an id's hexadecimal digits stand for.
fn id_bytes(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|char| *char != '-').collect();
    let bytes = digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap());
    let bytes: Vec<u8> = bytes.collect();
    assert_eq!(bytes.len(), 16, "{text}");
    bytes
}

/// The command of `docs/format.md` that has this in it, without the remark behind it.
fn documented(part: &str) -> &'static str {
    let commands = FORMAT.lines().filter_map(|line| line.split_once(" # ")).map(|(command, _)| command.trim());
    let found: Vec<&str> = commands.filter(|command| command.contains(part)).collect();
    assert_eq!(found.len(), 1, "docs/format.md has the command `… {part}` once: {found:?}");
    found[0]
}

#[test]
fn a_bundle_opens_with_the_tools_that_every_system_has() {
    let scene = Scene::new();

    let head = scene.told_text(documented("head -n 3"));
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], "saddlebag bundle 1");
    assert_eq!(serde_json::from_str::<serde_json::Value>(lines[1]).unwrap(), scene.header);
    assert!(lines[2].starts_with("ed25519:"), "{}", lines[2]);

    let sum = scene.told_text(documented("sha256sum"));
    assert_eq!(sum.split_whitespace().next(), scene.header["payload"]["sha256"].as_str());
    let size = scene.told_text("tail -n +4 FILE | wc -c").trim().parse::<u64>().unwrap();
    assert_eq!(Some(size), scene.header["payload"]["size"].as_u64());

    let listing = scene.told_text(documented("tar tv"));
    let names: Vec<&str> = listing.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names, ["bundle", "health", "receipts", "changes/0000", "changes/0001"]);
    for line in listing.lines() {
        let plain = line.starts_with("-rw-r--r-- 0/0 ") && line.contains(" 1970-01-01 00:00 ");
        assert!(plain, "a member says nothing but its name and size: {line}");
    }

    // What is inside is what the three lines say, read by hand: version 1, then the ids of line 2.
    let inside = scene.told(&documented("tar tv").replace("tar tv", "tar xO bundle"));
    assert_eq!(inside[0], 0);
    assert_eq!(inside[1..=scene.ids.len()], scene.ids);
}

#[test]
fn no_other_key_opens_a_bundle() {
    let scene = Scene::new();
    let opening = documented("tar tv");
    assert!(scene.run(opening, "receiver").status.success());
    let by_sender = scene.run(opening, "sender");
    assert!(!by_sender.status.success(), "the sender's own key opened it");
    let refused = String::from_utf8_lossy(&by_sender.stderr).into_owned();
    assert!(refused.contains("no identity matched"), "age says why: {refused}");
    let decrypted = scene.run("tail -n +4 FILE | age -d -i KEY", "sender");
    assert!(decrypted.stdout.is_empty(), "age gave out {} bytes", decrypted.stdout.len());

    // Nor does anything of the records stand there in the clear.
    let bytes = std::fs::read(&scene.bundle).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"note "), "a value can be read without a key");
}

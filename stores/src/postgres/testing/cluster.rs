//! A PostgreSQL of one test process: made when the first test asks for it, stopped and deleted when the process ends,
//! however it ends.
//!
//! It listens on a Unix socket in its own folder alone, and does without the disk: what it holds is gone anyway. Only
//! `std` is used here, so that another crate's tests can take this file in by `#[path]`.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The folder of PostgreSQL's programs, where they are not found otherwise.
const PROGRAMS: &str = "SADDLEBAG_POSTGRES";
/// Where Debian and Red Hat put them, by version.
const INSTALLED: [(&str, &str, &str); 2] = [("/usr/lib/postgresql", "", "bin"), ("/usr", "pgsql-", "bin")];
/// The path of a Unix socket has at most 107 bytes; `/.s.PGSQL.5432` and the name of the folder are part of it.
const PARENT_MAX: usize = 60;
/// The last folder of this name that is tried: each is of a process that had the same number and was not cleared away.
const FOLDERS_MAX: u32 = 1_000;

/// A running server.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    /// Waits for the end of its input, which comes with the end of this process, and then stops the server.
    _watchdog: Child,
}

impl Cluster {
    /// The server of this process; the reason, where there can be none.
    pub(crate) fn of_this_process() -> Result<&'static Self, &'static str> {
        static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
        let made = CLUSTER.get_or_init(|| match programs() {
            None => Err("no PostgreSQL is installed".to_owned()),
            // That it is there and does not run is no reason to skip a test.
            Some(programs) => {
                Ok(Self::start(&programs, |_| String::new()).unwrap_or_else(|error| panic!("PostgreSQL: {error}")))
            }
        });
        made.as_ref().map_err(String::as_str)
    }

    /// Where its socket lies: the host of a connection. The user is `postgres`, and needs no password.
    pub(crate) fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a server with further settings (`-c NAME=VALUE …`), which `prepare` gives when it has laid into the data
    /// folder what it needs.
    pub(crate) fn start(programs: &Path, prepare: impl FnOnce(&Path) -> String) -> Result<Self, String> {
        let folder = make_folder().map_err(|error| format!("its folder cannot be made: {error}"))?;
        let owner = Owner::of_server(&folder)?;
        // It watches from before the server runs: whenever this process ends, nothing is left.
        let stop = "cat >/dev/null; \"$1/pg_ctl\" -D \"$2/data\" -m immediate -w stop >/dev/null 2>&1; rm -rf \"$2\"";
        let arguments =
            [OsStr::new("-c"), OsStr::new(stop), OsStr::new("sh"), programs.as_os_str(), folder.as_os_str()];
        let mut watchdog = owner.command(Path::new("sh"));
        watchdog.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // In a group of its own, so that an interrupt at the terminal ends the tests first.
        let watchdog = watchdog.process_group(0).spawn().map_err(|error| format!("sh: {error}"))?;
        let data = folder.join("data");
        let mut initdb = owner.command(&programs.join("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
        run(initdb.arg(&data))?;
        let further = prepare(&data);
        let settings = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c synchronous_commit=off \
             -c full_page_writes=off -c max_connections=200 -c max_prepared_transactions=10 -c shared_buffers=32MB \
             {further}",
            folder.display()
        );
        let mut start = owner.command(&programs.join("pg_ctl"));
        // Not our standard output, which whoever runs the tests may wait for the end of.
        start.arg("-D").arg(&data).arg("-l").arg(folder.join("log")).args(["-w", "-o", &settings, "start"]);
        run(start.process_group(0))?;
        Ok(Self { folder, _watchdog: watchdog })
    }
}

/// The folder that has both `initdb` and `pg_ctl`: a named one, one on the path, or the newest of those installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let named = std::env::var_os(PROGRAMS).filter(|name| !name.is_empty()).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = named.into_iter().chain(std::env::split_paths(&path)).chain(installed());
    candidates.into_iter().find(|folder| ["initdb", "pg_ctl"].iter().all(|name| folder.join(name).is_file()))
}

fn installed() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (parent, prefix, programs) in INSTALLED {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<u32>().ok());
            found.extend(version.map(|version| (version, entry.path().join(programs))));
        }
    }
    found.sort();
    found.into_iter().rev().map(|(_, folder)| folder).collect()
}

/// Whom the server runs as: PostgreSQL refuses to run as root, so root has it run as the user `postgres`.
struct Owner {
    user: Option<(u32, u32)>,
}

impl Owner {
    /// The folder is this process's, and is made over to whom the server will run as.
    fn of_server(folder: &Path) -> Result<Self, String> {
        let here = folder.metadata().map_err(|error| format!("{}: {error}", folder.display()))?;
        if here.uid() != 0 {
            return Ok(Self { user: None });
        }
        let users = std::fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
        let user = users.lines().find_map(|line| {
            let mut parts = line.strip_prefix("postgres:")?.split(':').skip(1);
            Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
        });
        let (user, group) = user.ok_or("it does not run as root, and there is no user `postgres`")?;
        chown(folder, Some(user), Some(group)).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { user: Some((user, group)) })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        // The folder of the tests may be closed to that user; and what is set for `psql` is not meant for this.
        command.current_dir("/");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command
    }
}

fn make_folder() -> io::Result<PathBuf> {
    let parent = std::env::temp_dir();
    let parent = if parent.as_os_str().len() <= PARENT_MAX { parent } else { PathBuf::from("/tmp") };
    let mut taken = 0;
    loop {
        let folder = parent.join(format!("sbpg-{}-{taken}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && taken < FOLDERS_MAX => taken += 1,
            made => return made.map(|()| folder),
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let done = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)))
}

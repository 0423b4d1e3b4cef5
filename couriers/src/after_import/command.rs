//! Running a program with a time limit.
//!
//! Invariant: whatever the program and its children do, this returns soon after the limit, and keeps little of what
//! they print.

use std::io::{PipeReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Failure, hook};

/// Bytes of what a program prints that are kept.
const OUTPUT_BYTES_MAX: usize = 2_000;
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long what it printed is waited for once it has ended: a child of its own may keep the pipe open.
const OUTPUT_WAIT: Duration = Duration::from_millis(500);

/// Runs a program in the node's folder, with the message on its stdin. Gives what it printed, shortened.
pub(super) fn run(
    (program, arguments): (&str, &[String]),
    folder: &Path,
    message: &[u8],
    limit: Duration,
) -> Result<String, Failure> {
    let begun = Instant::now();
    let failed = |reason: String| Failure { reason, output: String::new() };
    let (reader, writer) = std::io::pipe().map_err(|error| failed(format!("no pipe could be made: {error}")))?;
    let both = writer.try_clone().map_err(|error| failed(format!("no pipe could be made: {error}")))?;
    let mut command = Command::new(hook::resolve(program, folder));
    // In a group of its own, so that its children end with it.
    command.args(arguments).current_dir(folder).process_group(0);
    command.stdin(Stdio::piped()).stdout(writer).stderr(both);
    let child = command.spawn();
    // It holds our ends of the pipe, without which its end would never be seen.
    drop(command);
    let mut child = child.map_err(|error| failed(format!("it could not be started: {error}")))?;
    give(&mut child, message);
    let printed = Printed::read(reader);
    let ended = wait(&mut child, begun, limit);
    let output = printed.shortened();
    let failed = |reason: String| Failure { reason, output: output.clone() };
    match ended {
        Ok(Some(status)) if status.success() => Ok(output),
        Ok(Some(status)) => Err(failed(format!("it ended with {status}"))),
        Ok(None) => Err(failed(format!("it took longer than {} s and was ended", limit.as_secs()))),
        Err(error) => Err(failed(format!("it could not be waited for: {error}"))),
    }
}

/// A program need not read what it is told.
fn give(child: &mut Child, message: &[u8]) {
    if let Some(mut stdin) = child.stdin.take() {
        let message = message.to_vec();
        thread::spawn(move || {
            let _unread = stdin.write_all(&message);
        });
    }
}

/// How it ended; none if it had to be ended.
fn wait(child: &mut Child, begun: Instant, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() >= limit {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _gone_already = kill_process_group(group, Signal::KILL);
            }
            let _status = child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// What a program prints, as it comes.
struct Printed {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
}

impl Printed {
    /// Reads to the end, so that the program is never held up, and keeps the beginning.
    fn read(mut from: PipeReader) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeping = Arc::clone(&kept);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let mut kept = keeping.lock().unwrap_or_else(PoisonError::into_inner);
                let room = OUTPUT_BYTES_MAX.saturating_sub(kept.len()).min(count);
                kept.extend_from_slice(&buffer[..room]);
            }
        });
        Self { kept, reader }
    }

    fn shortened(self) -> String {
        let begun = Instant::now();
        while !self.reader.is_finished() && begun.elapsed() < OUTPUT_WAIT {
            thread::sleep(LOOK_EVERY);
        }
        super::in_short(&self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, message: &[u8], limit: Duration) -> Result<String, Failure> {
        let folder = tempfile::tempdir().unwrap();
        run(("sh", &["-c".to_owned(), script.to_owned()]), folder.path(), message, limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_reads_the_message_and_what_it_prints_is_kept() {
        assert_eq!(sh("cat; echo and this >&2", b"{\"a\":1}\n", LONG).unwrap(), "{\"a\":1}\nand this");
        let large = vec![b'x'; 1 << 20];
        assert_eq!(sh("wc -c | tr -d ' '", &large, LONG).unwrap(), "1048576");
        assert_eq!(sh("exit 0", &large, LONG).unwrap(), "", "who does not listen is no failure");
    }

    #[test]
    fn a_program_that_fails_or_is_not_there_is_told() {
        let failure = sh("echo no such cache; exit 3", b"", LONG).unwrap_err();
        assert!(failure.reason.contains("exit status: 3"), "{failure:?}");
        assert_eq!(failure.output, "no such cache");
        let folder = tempfile::tempdir().unwrap();
        let failure = run(("./not-there", &[]), folder.path(), b"", LONG).unwrap_err();
        assert!(failure.reason.contains("could not be started"), "{failure:?}");
    }

    #[test]
    fn a_program_that_never_ends_is_ended_with_its_children() {
        let begun = Instant::now();
        let failure = sh("sleep 1000 & sleep 1000", b"", Duration::from_secs(1)).unwrap_err();
        assert!(failure.reason.contains("longer than 1 s"), "{failure:?}");
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn a_program_that_prints_for_ever_is_not_kept() {
        let failure = sh("while :; do echo line; done", b"", Duration::from_secs(1)).unwrap_err();
        assert!(failure.output.len() < OUTPUT_BYTES_MAX && failure.output.starts_with("line\nline"), "{failure:?}");
    }

    #[test]
    fn what_a_program_leaves_running_is_not_waited_for() {
        let begun = Instant::now();
        assert_eq!(sh("sleep 300 & echo done", b"", LONG).unwrap(), "done");
        assert!(begun.elapsed() < LONG);
    }
}

//! The one place that decides of what kind an error is, what to do next, and with which status the command ends.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::Path;

use saddlebag_couriers::NodeError;
use saddlebag_couriers::database_url::DatabaseUrlError;
use saddlebag_formats::envelope::EnvelopeError;
use saddlebag_formats::payload_binding::PayloadBindingError;
use saddlebag_keys::{FileError, HeadRefusal};
use saddlebag_stores::StoreError;
use saddlebag_stores::tracking::TrackingError;

use crate::exit_code::Exit;

/// What kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failed,
    Usage,
    BrokenPipe,
    Interrupted,
}

/// A command that did not do what it was asked: what happened, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

impl CommandError {
    /// Something failed or was refused.
    pub fn failed(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self { kind: Kind::Failed, message: message.into(), hint: hint.map(str::to_owned) }
    }

    /// The command line lacks something.
    pub fn usage(message: impl Into<String>, hint: &str) -> Self {
        Self { kind: Kind::Usage, message: message.into(), hint: Some(hint.to_owned()) }
    }

    /// Nobody answered.
    pub fn interrupted() -> Self {
        Self { kind: Kind::Interrupted, message: "interrupted; nothing was changed".to_owned(), hint: None }
    }

    /// The same, about this file.
    #[must_use]
    pub fn about(self, file: &Path) -> Self {
        Self { message: format!("`{}`: {}", file.display(), self.message), ..self }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether there is anybody to tell.
    pub fn is_silent(&self) -> bool {
        self.kind == Kind::BrokenPipe
    }

    /// The exit status.
    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::Failed => Exit::Failed,
            Kind::Usage => Exit::Usage,
            Kind::BrokenPipe => Exit::BrokenPipe,
            Kind::Interrupted => Exit::Interrupted,
        }
    }

    fn of(error: &dyn Error, hint: Option<impl Display>) -> Self {
        Self { kind: Kind::Failed, message: with_causes(error), hint: hint.map(|hint| hint.to_string()) }
    }
}

/// The error with what it came from, as far as its own words do not say that already.
fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
        cause = inner.source();
    }
    message
}

impl From<NodeError> for CommandError {
    fn from(error: NodeError) -> Self {
        Self::of(&error, error.hint())
    }
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> Self {
        Self::of(&error, error.hint())
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::of(&error, Some(error.hint()))
    }
}

impl From<TrackingError> for CommandError {
    fn from(error: TrackingError) -> Self {
        Self::of(&error, Some(error.hint()))
    }
}

impl From<EnvelopeError> for CommandError {
    fn from(error: EnvelopeError) -> Self {
        Self::of(&error, Some(error.hint()))
    }
}

impl From<PayloadBindingError> for CommandError {
    fn from(error: PayloadBindingError) -> Self {
        Self::of(&error, Some(error.hint()))
    }
}

impl From<HeadRefusal> for CommandError {
    fn from(error: HeadRefusal) -> Self {
        Self::of(&error, error.hint())
    }
}

impl From<DatabaseUrlError> for CommandError {
    /// A URL comes here from the command line alone; that of `saddlebag.toml` is a [`NodeError`].
    fn from(error: DatabaseUrlError) -> Self {
        Self { kind: Kind::Usage, ..Self::of(&error, Some(error.hint())) }
    }
}

impl From<io::Error> for CommandError {
    /// Files have errors that name them; what comes here is about the terminal or a pipe.
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => Kind::BrokenPipe,
            io::ErrorKind::Interrupted => Kind::Interrupted,
            _ => Kind::Failed,
        };
        Self { kind, message: format!("the output cannot be written: {error}"), hint: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_status() {
        assert_eq!(CommandError::failed("x", None).exit(), Exit::Failed);
        assert_eq!(CommandError::usage("x", "y").exit(), Exit::Usage);
        assert_eq!(CommandError::interrupted().exit(), Exit::Interrupted);
        let pipe = CommandError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((pipe.exit(), pipe.is_silent()), (Exit::BrokenPipe, true));
        let full = CommandError::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!((full.exit(), full.is_silent()), (Exit::Failed, false));
        assert_eq!(CommandError::from(DatabaseUrlError::Unknown { text: "x".into() }).exit(), Exit::Usage);
        assert_eq!(CommandError::from(NodeError::NoDeployment).exit(), Exit::Failed);
    }

    #[test]
    fn an_error_says_what_it_came_from_once() {
        let read = EnvelopeError::Read(io::Error::other("the stick is gone"));
        let error = CommandError::from(read).about(Path::new("a.sbag"));
        assert_eq!(error.to_string(), "`a.sbag`: the file cannot be read: the stick is gone");
        assert!(error.hint().is_some());
        let store = StoreError::Engine { action: "reading".into(), reason: "disk I/O error".into() };
        let words = CommandError::from(NodeError::from(store)).to_string();
        assert_eq!(words.matches("disk I/O error").count(), 1);
    }
}

//! What was in the way of a connection, and what to do about it.

use std::error::Error as _;
use std::io;

use postgres::error::SqlState;

use super::text::ConnectionText;
use super::{Target, tls};
use crate::error::StoreError;

const HINT_SETTING: &str = "correct `database` in saddlebag.toml; docs/postgresql.md has all its settings";
const HINT_SERVER: &str =
    "start the server, or correct host and port in `database` in saddlebag.toml; `pg_isready` asks who listens";
const HINT_TLS: &str =
    "docs/postgresql.md says which certificates go where; `sslmode` in `database` says what is asked";
const HINT_NO_TLS: &str = "set `ssl = on` at the server, or write `sslmode=prefer` if nobody can listen in between";
const HINT_PASSWORD: &str = "put the password into ~/.pgpass (chmod 600): HOST:PORT:DATABASE:USER:PASSWORD";
const HINT_LOGIN: &str = "name the user who may: `postgres://USER@HOST/DATABASE`; the server's pg_hba.conf says who may \
                         log in from where, and how";
const HINT_DATABASE: &str = "create it with `createdb`, or correct its name in `database` in saddlebag.toml";
const HINT_CONNECT: &str =
    "as the database's owner: GRANT CONNECT ON DATABASE … TO …; docs/postgresql.md has all rights";
const HINT_LATER: &str = "try again in a moment";
const HINT_OTHER: &str = "the server's log says more";

/// A connection that did not come to be.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) reason: String,
    hint: &'static str,
    /// Another server would not know better.
    pub(super) is_final: bool,
}

impl Failure {
    /// A setting cannot be followed.
    pub(super) fn setting(reason: &str) -> Self {
        Self { reason: reason.to_owned(), hint: HINT_SETTING, is_final: true }
    }

    /// TLS cannot be spoken as it should be.
    pub(super) fn tls(reason: String) -> Self {
        Self { reason, hint: HINT_TLS, is_final: true }
    }

    /// No host is named, and no server has left a socket.
    pub(super) fn no_socket(port: u16, folders: &str) -> Self {
        let reason = format!("no server of this machine listens: there is no socket for port {port} in {folders}");
        Self { reason, hint: HINT_SERVER, is_final: true }
    }

    /// All that was tried was in vain.
    pub(super) fn together(failures: Vec<Self>) -> Self {
        let reasons: Vec<_> = failures.iter().map(|failure| failure.reason.as_str()).collect();
        Self { reason: reasons.join("; "), hint: failures.last().map_or(HINT_SERVER, |last| last.hint), is_final: true }
    }

    /// A server did not let somebody in, or there was none.
    pub(super) fn of_login(
        target: &Target,
        user: &str,
        database: &str,
        error: &postgres::Error,
        password_file: Option<String>,
    ) -> Self {
        if let Some(told) = error.as_db_error() {
            let mut reason = told.message().to_owned();
            let (hint, is_final) = match *told.code() {
                SqlState::INVALID_PASSWORD => {
                    reason.extend(password_file.map(|remark| format!("; {remark}")));
                    (HINT_PASSWORD, true)
                }
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION => (HINT_LOGIN, true),
                SqlState::INVALID_CATALOG_NAME => (HINT_DATABASE, true),
                SqlState::INSUFFICIENT_PRIVILEGE => (HINT_CONNECT, true),
                SqlState::CANNOT_CONNECT_NOW => (HINT_LATER, false),
                SqlState::TOO_MANY_CONNECTIONS => (HINT_LATER, true),
                _ => (HINT_OTHER, true),
            };
            return Self { reason, hint, is_final };
        }
        let cause = error.source();
        if let Some(error) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            return match inner {
                Some(inner) => Self { is_final: false, ..Self::tls(format!("{target}: {}", tls::words(inner))) },
                None => {
                    Self { reason: format!("{target}: {}", without_code(error)), hint: HINT_SERVER, is_final: false }
                }
            };
        }
        let words = cause.map_or_else(|| error.to_string(), ToString::to_string);
        match words.as_str() {
            "password missing" => {
                let remark = password_file.map(|remark| format!("; {remark}")).unwrap_or_default();
                let reason = format!("the server asks {user} for a password for {database}, and none is known{remark}");
                Self { reason, hint: HINT_PASSWORD, is_final: true }
            }
            "server does not support TLS" => Self {
                reason: format!("{target}: the server does not speak TLS, and `sslmode` asks for it"),
                hint: HINT_NO_TLS,
                is_final: false,
            },
            _ => Self { reason: format!("{target}: {words}"), hint: HINT_OTHER, is_final: true },
        }
    }

    /// As the rest of the program sees it.
    pub(super) fn of(self, text: &ConnectionText) -> StoreError {
        StoreError::Connect { url: text.to_string(), reason: self.reason, hint: self.hint }
    }
}

/// Whether a connection with TLS failed in a way that one without may not.
pub(super) fn may_do_without_tls(error: &postgres::Error) -> bool {
    match error.code() {
        Some(code) => *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        // A refused connection is refused again at once; a server that breaks off is not.
        None => error.to_string().contains("TLS"),
    }
}

/// Without the system's number behind it.
fn without_code(error: &io::Error) -> String {
    let words = error.to_string();
    words.split_once(" (os error").map_or(words.as_str(), |(words, _)| words).to_owned()
}

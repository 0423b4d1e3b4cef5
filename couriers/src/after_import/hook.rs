//! `[hooks]` of `saddlebag.toml`.
//!
//! Invariant: what a hook is called never shows a password of its address.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Seconds that a hook has, unless the configuration says otherwise.
pub const SECONDS: u64 = 30;
/// The most that the configuration may give it.
pub const SECONDS_MAX: u64 = 600;
/// Hooks of one kind at most.
pub const HOOKS_MAX: usize = 16;

/// `[hooks]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HooksConfig {
    /// Who is told of an import that changed something.
    #[serde(default, deserialize_with = "few")]
    pub after_import: Vec<Hook>,
    /// Seconds that each of them has.
    #[serde(default, deserialize_with = "bounded")]
    pub seconds: Option<u64>,
}

/// One who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hook {
    /// A program, and its arguments. No shell reads them.
    Command {
        /// A name that is looked up in `PATH`, or a path, counted from the node's folder.
        program: String,
        /// As they are.
        arguments: Vec<String>,
    },
    /// An address, to which the message is posted.
    Address(String),
}

/// A hook that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// There is nothing to run.
    #[error("a hook names a program or an address, and this one is empty")]
    Empty,
    /// Perhaps a program with arguments, perhaps a path with a blank.
    #[error("`{text}` is no program: no shell reads it; write [{words}] for a program with arguments")]
    Blank {
        /// What was given.
        text: String,
        /// The same as a list.
        words: String,
    },
    /// No request can be made to it.
    #[error("`{text}` is no address: {reason}")]
    NoAddress {
        /// What was given, without its password.
        text: String,
        /// Why.
        reason: String,
    },
    /// A NUL byte can be given to no program.
    #[error("the hook `{text}` holds a NUL byte")]
    Nul {
        /// What was given.
        text: String,
    },
}

impl HooksConfig {
    /// Seconds that each hook has.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(SECONDS)
    }
}

impl Hook {
    /// A string is an address or a program without arguments.
    ///
    /// # Errors
    /// [`HookError`].
    pub fn of_text(text: &str) -> Result<Self, HookError> {
        let is_address = ["http://", "https://"].iter().any(|scheme| {
            let start = text.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        if is_address {
            let refused = |reason: String| HookError::NoAddress { text: without_password(text), reason };
            let uri: ureq::http::Uri = text.parse().map_err(|error| refused(format!("{error}")))?;
            return match uri.host() {
                Some(host) if !host.is_empty() => Ok(Self::Address(text.to_owned())),
                _ => Err(refused("it names no host".to_owned())),
            };
        }
        if text.contains(char::is_whitespace) {
            let words: Vec<_> = text.split_whitespace().map(|word| format!("{word:?}")).collect();
            return Err(HookError::Blank { text: text.to_owned(), words: words.join(", ") });
        }
        Self::of_words(vec![text.to_owned()])
    }

    /// A list is a program and its arguments.
    ///
    /// # Errors
    /// [`HookError`].
    pub fn of_words(words: Vec<String>) -> Result<Self, HookError> {
        if let Some(text) = words.iter().find(|word| word.contains('\0')) {
            return Err(HookError::Nul { text: text.replace('\0', "\u{fffd}") });
        }
        let mut words = words.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self::Command { program, arguments: words.collect() }),
            _ => Err(HookError::Empty),
        }
    }
}

/// The program as it is started from the node's folder.
pub(super) fn resolve(program: &str, folder: &Path) -> PathBuf {
    if program.contains('/') { folder.join(program) } else { PathBuf::from(program) }
}

/// `https://me:secret@host/` without the secret.
fn without_password(address: &str) -> String {
    let Some(from) = address.find("://").map(|at| at + 3) else { return address.to_owned() };
    let upto = address[from..].find(['/', '?', '#']).map_or(address.len(), |at| from + at);
    let Some(at) = address[from..upto].rfind('@').map(|at| from + at) else { return address.to_owned() };
    let user = address[from..at].split(':').next().unwrap_or_default();
    format!("{}{user}{}", &address[..from], &address[at..])
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { program, arguments } => {
                f.write_str(program)?;
                arguments.iter().try_for_each(|argument| match argument.contains(char::is_whitespace) {
                    true => write!(f, " {argument:?}"),
                    false => write!(f, " {argument}"),
                })
            }
            Self::Address(address) => f.write_str(&without_password(address)),
        }
    }
}

impl<'de> Deserialize<'de> for Hook {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a hook is a program or an address, or a list: a program and its arguments")]
        enum Written {
            Text(String),
            Words(Vec<String>),
        }
        let hook = match Written::deserialize(deserializer)? {
            Written::Text(text) => Self::of_text(&text),
            Written::Words(words) => Self::of_words(words),
        };
        hook.map_err(serde::de::Error::custom)
    }
}

fn few<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Hook>, D::Error> {
    let hooks = Vec::<Hook>::deserialize(deserializer)?;
    match hooks.len() {
        0..=HOOKS_MAX => Ok(hooks),
        _ => Err(serde::de::Error::custom(format!("there are more than {HOOKS_MAX} hooks"))),
    }
}

fn bounded<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    match seconds {
        1..=SECONDS_MAX => Ok(Some(seconds)),
        _ => Err(serde::de::Error::custom(format!("`seconds` lies between 1 and {SECONDS_MAX}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HooksConfig, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn programs_arguments_and_addresses_are_read() {
        let hooks = read(
            "after_import = ['clear-caches', ['./tell me', 'a b', ''], 'HTTPS://me:secret@host:8443/x?y=@']\nseconds = 5",
        )
        .unwrap();
        assert_eq!(hooks.seconds(), 5);
        let shown: Vec<String> = hooks.after_import.iter().map(Hook::to_string).collect();
        assert_eq!(shown, ["clear-caches", "./tell me \"a b\" ", "HTTPS://me@host:8443/x?y=@"]);
        assert_eq!(hooks.after_import[2], Hook::Address("HTTPS://me:secret@host:8443/x?y=@".to_owned()));
        assert_eq!(resolve("./tell me", Path::new("/n")), Path::new("/n/./tell me"));
        assert_eq!(resolve("/bin/tell", Path::new("/n")), Path::new("/bin/tell"));
        assert_eq!(resolve("tell", Path::new("/n")), Path::new("tell"));
        assert_eq!(read("").unwrap().seconds(), SECONDS);
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        let refused = |hook: &str| read(&format!("after_import = [{hook}]")).unwrap_err();
        assert!(
            refused("'clear-caches --all'")
                .ends_with(r#"write ["clear-caches", "--all"] for a program with arguments"#)
        );
        assert!(refused("''").contains("empty") && refused("[]").contains("empty"));
        assert!(refused("'http://'").contains("is no address"));
        assert!(refused("'https://me:secret@/x'").contains("`https://me@/x` is no address"));
        assert!(refused("[\"a\\u0000b\"]").contains("NUL"));
        assert!(refused("7").contains("a list: a program and its arguments"));
        assert!(refused(&vec!["'a'"; HOOKS_MAX + 1].join(", ")).contains("more than 16"));
        assert!(read("seconds = 0").unwrap_err().contains("between 1 and 600"));
        assert!(read("seconds = 601").is_err() && read("after = []").is_err());
    }
}

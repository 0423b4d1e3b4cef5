//! What people call a node, and what folders and files are called after it.
//!
//! Invariant: a `NodeName` is safe as a file name on every file system, FAT included.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::NODE_NAME_CHARS_MAX;

/// A node's name: 1 to 32 of `a-z0-9-`, unique in its deployment.
///
/// It neither begins nor ends with a hyphen, holds no `-to-` (bundles are called `FROM-to-TO_…`), and is no
/// device name of Windows.
///
/// ```
/// use saddlebag_formats::NodeName;
/// assert!("clinic-07".parse::<NodeName>().is_ok());
/// assert!("Clinic 07".parse::<NodeName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

/// Text that cannot be a node's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeNameError {
    /// Empty, or too long.
    #[error("a node's name has 1 to {NODE_NAME_CHARS_MAX} characters, this one has {chars}")]
    Length {
        /// How many characters were given.
        chars: usize,
    },
    /// A character that is none of `a-z0-9-`.
    #[error("a node's name holds only a-z, 0-9 and hyphens, not {character:?}")]
    Character {
        /// The first such character.
        character: char,
    },
    /// A hyphen at an end.
    #[error("`{name}` begins or ends with a hyphen")]
    Hyphen {
        /// The name.
        name: String,
    },
    /// `-to-` inside.
    #[error("`{name}` holds `-to-`, which stands between two names in the name of a bundle")]
    To {
        /// The name.
        name: String,
    },
    /// A device name of Windows.
    #[error("`{name}` is the name of a device on Windows, where no file can be called so")]
    Device {
        /// The name.
        name: String,
    },
}

impl NodeNameError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "take a short name in lower case, like `clinic-07`"
    }
}

impl NodeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether Windows keeps `stem` for a device.
pub(crate) fn is_windows_device(stem: &str) -> bool {
    let stem = stem.to_ascii_lowercase();
    let numbered =
        |device: &str| stem.strip_prefix(device).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

impl FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        let chars = text.chars().count();
        if chars == 0 || chars > NODE_NAME_CHARS_MAX {
            return Err(NodeNameError::Length { chars });
        }
        let allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        if let Some(character) = text.chars().find(|c| !allowed(c)) {
            return Err(NodeNameError::Character { character });
        }
        let name = text.to_owned();
        if text.starts_with('-') || text.ends_with('-') {
            return Err(NodeNameError::Hyphen { name });
        }
        if text.contains("-to-") {
            return Err(NodeNameError::To { name });
        }
        if is_windows_device(text) {
            return Err(NodeNameError::Device { name });
        }
        Ok(Self(name))
    }
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;

    fn try_from(text: String) -> Result<Self, NodeNameError> {
        text.parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl AsRef<str> for NodeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NodeName, NodeNameError> {
        text.parse()
    }

    #[test]
    fn plain_names_are_taken() {
        for name in ["a", "0", "clinic-07", "to", "to-x", "com", "com10", "com0", "console", &"x".repeat(32)] {
            assert_eq!(parse(name).map(String::from), Ok(name.to_owned()));
        }
    }

    #[test]
    fn others_are_refused_with_their_reason() {
        assert_eq!(parse(""), Err(NodeNameError::Length { chars: 0 }));
        assert_eq!(parse(&"x".repeat(33)), Err(NodeNameError::Length { chars: 33 }));
        assert_eq!(parse("Clinic"), Err(NodeNameError::Character { character: 'C' }));
        for character in ['/', '.', '_', ' ', '\n', '\0', 'é', '\u{202e}'] {
            assert_eq!(parse(&format!("a{character}b")), Err(NodeNameError::Character { character }));
        }
        for name in ["-a", "a-", "-"] {
            assert!(matches!(parse(name), Err(NodeNameError::Hyphen { .. })));
        }
        assert!(matches!(parse("a-to-b"), Err(NodeNameError::To { .. })));
        for name in ["con", "prn", "aux", "nul", "com1", "com9", "lpt1", "lpt9"] {
            assert!(matches!(parse(name), Err(NodeNameError::Device { .. })), "{name}");
        }
    }

    #[test]
    fn a_name_is_checked_when_it_is_read() {
        assert!(serde_json::from_str::<NodeName>("\"clinic-07\"").is_ok());
        assert!(serde_json::from_str::<NodeName>("\"../etc\"").is_err());
    }
}

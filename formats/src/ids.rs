//! A type for every id and unit, shown as users see them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An id that cannot be read from its text form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseIdError {
    /// What was given.
    pub text: String,
    /// What would have been right, with its article: "a UUID".
    pub expected: &'static str,
}

macro_rules! uuid_like {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Shown as a hyphenated lower-case UUID.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                uuid::Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let id = uuid::Uuid::try_parse(text)
                    .map_err(|_| ParseIdError { text: text.to_owned(), expected: "a UUID" })?;
                // One canonical form: what is read back must be what would be written.
                if id.as_hyphenated().to_string() == text {
                    Ok(Self(id.into_bytes()))
                } else {
                    Err(ParseIdError { text: text.to_owned(), expected: "a hyphenated lower-case UUID" })
                }
            }
        }
    };
}

uuid_like! {
    /// One installation of saddlebag. Random (UUIDv4), made by `init`.
    NodeId
}
uuid_like! {
    /// The name of a record, the same on every node. Never the application's key.
    Uid
}
uuid_like! {
    /// One bundle. Random (UUIDv4).
    BundleId
}

/// All nodes that belong together: the first 16 bytes of SHA-256 of the deployment's public signing key.
///
/// Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeploymentId(pub [u8; 16]);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DeploymentId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = || ParseIdError { text: text.to_owned(), expected: "32 lower-case hexadecimal digits" };
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| error())?;
        if hex::encode(bytes) == text { Ok(Self(bytes)) } else { Err(error()) }
    }
}

/// One uninterrupted history of a node's database: a count in the upper 32 bits, which rises with
/// every restore, and a random number in the lower 32, by which two copies of one backup differ.
///
/// Shown as 16 hexadecimal digits, so that text sorts as numbers do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch with this count and this random part.
    #[must_use]
    pub fn new(count: u32, random: u32) -> Self {
        Self(u64::from(count) << 32 | u64::from(random))
    }

    /// How many epochs this node has begun, this one included.
    #[must_use]
    pub fn count(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Epoch {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = || ParseIdError { text: text.to_owned(), expected: "16 lower-case hexadecimal digits" };
        let value = u64::from_str_radix(text, 16).map_err(|_| error())?;
        let epoch = Self(value);
        if epoch.to_string() == text { Ok(epoch) } else { Err(error()) }
    }
}

macro_rules! count_like {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

count_like! {
    /// A position in a node's feed. The first record has 1; 0 is before all.
    Seq, u64
}
count_like! {
    /// The number of a bundle in its stream. The first has 1; 0 is before all.
    BundleNumber, u64
}
count_like! {
    /// Milliseconds since 1970-01-01T00:00:00Z; 0 for values that `setup` found.
    TimeMs, i64
}
count_like! {
    /// A link of this node, numbered in its own database from 1.
    LinkId, u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_text_form() {
        let uid = Uid([0xAB; 16]);
        assert_eq!(uid.to_string().parse(), Ok(uid));
        assert!(uid.to_string().to_uppercase().parse::<Uid>().is_err());
        assert!("abababababababababababababababab".parse::<Uid>().is_err());
        let deployment = DeploymentId([0xCD; 16]);
        assert_eq!(deployment.to_string().parse(), Ok(deployment));
        assert!(deployment.to_string().to_uppercase().parse::<DeploymentId>().is_err());
        let epoch = Epoch::new(3, 7);
        assert_eq!(epoch.to_string(), "0000000300000007");
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
        assert_eq!(epoch.count(), 3);
        assert!("300000007".parse::<Epoch>().is_err());
        assert!("+000000300000007".parse::<Epoch>().is_err());
    }

    #[test]
    fn a_later_epoch_is_greater_whatever_its_random_part() {
        assert!(Epoch::new(2, 0) > Epoch::new(1, u32::MAX));
    }
}

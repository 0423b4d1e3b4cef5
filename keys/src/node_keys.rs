//! What lies in a node's `keys` folder: its signing key and its sealing key.
//!
//! Two keys, because what opens and what signs should not fall together, and be replaced apart. Both files
//! have mode 0600 and are refused if others can read them; `sealing.key` is a file as `age -d -i` takes it.

use std::path::Path;

use saddlebag_formats::ambient::Entropy;

use crate::files;
use crate::key_file::{self, KeyFileError};
use crate::sealing::SealingKey;
use crate::signing::SigningKeys;

/// The signing key's file in the `keys` folder.
pub const SIGNING_KEY_FILE: &str = "signing.key";
/// The sealing key's file in the `keys` folder.
pub const SEALING_KEY_FILE: &str = "sealing.key";

const SIGNING_KIND: &str = "saddlebag-signing-key";

/// A node's own keys.
///
/// ```
/// # use saddlebag_keys::NodeKeys;
/// # struct Fixed;
/// # impl saddlebag_formats::ambient::Entropy for Fixed {
/// #     fn fill(&mut self, bytes: &mut [u8]) { bytes.fill(7) }
/// # }
/// # let mut entropy = Fixed;
/// let keys = NodeKeys::generate(&mut entropy);
/// let signature = keys.signing.sign(b"some bytes");
/// assert!(keys.signing.public().verify(b"some bytes", &signature).is_ok());
/// assert!(keys.signing.public().verify(b"other bytes", &signature).is_err());
/// ```
#[derive(Debug)]
pub struct NodeKeys {
    /// Signs this node's bundles and its card.
    pub signing: SigningKeys,
    /// Opens what was sealed for this node.
    pub sealing: SealingKey,
}

impl NodeKeys {
    /// New keys.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self { signing: SigningKeys::generate(entropy), sealing: SealingKey::generate(entropy) }
    }

    /// Writes both keys into `folder`, which is made if it lacks. Keys that lie there are never overwritten.
    ///
    /// # Errors
    /// [`KeyFileError::File`]; if only one of the two could be written, it stays.
    pub fn save(&self, folder: &Path) -> Result<(), KeyFileError> {
        files::create_private_folders(folder)?;
        let signing_comment = format!(
            "Signing key of this saddlebag node. Keep it secret: who has it can write in this node's name.\n\
             public half: {}",
            self.signing.public()
        );
        let signing = key_file::seed_line(SIGNING_KIND, &self.signing);
        key_file::write(folder, SIGNING_KEY_FILE, &signing_comment, &signing)?;
        let sealing_comment = format!(
            "Sealing key of this saddlebag node. Keep it secret: who has it can read what was sent to this node.\n\
             It is an age identity: `age -d -i` opens with it.\n\
             public half: {}",
            self.sealing.recipient()
        );
        key_file::write(folder, SEALING_KEY_FILE, &sealing_comment, &self.sealing.to_secret_text())
    }

    /// Reads both keys from `folder`.
    ///
    /// # Errors
    /// [`KeyFileError`]: a file is absent, is no key, or can be read by others than its owner.
    pub fn load(folder: &Path) -> Result<Self, KeyFileError> {
        let signing = key_file::read(&folder.join(SIGNING_KEY_FILE), "a signing key", |line| {
            key_file::parse_seed_line(SIGNING_KIND, line)
        })?;
        let sealing = key_file::read(&folder.join(SEALING_KEY_FILE), "a sealing key", |line| {
            SealingKey::from_secret_text(line).ok()
        })?;
        Ok(Self { signing, sealing })
    }
}

#[cfg(test)]
mod tests;

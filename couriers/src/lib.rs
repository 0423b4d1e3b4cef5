//! How bundles travel: a node's folder, its neighbours, the folders and sticks in between, and the verbs that
//! use them.
//!
//! The terminal, the environment and the home directory are the caller's. One invariant holds throughout: what
//! lies at a place was sealed before, is never overwritten there, and is removed only by the node that signed it.

pub mod config;
pub mod database_url;
mod error;
pub mod folder;
pub mod founding;
mod inbox;
mod lock;
pub mod membership;
pub mod node;
pub mod place;
pub mod round;
mod settings;
pub mod setup;
pub mod status;
pub mod system;
mod transaction;

pub use config::{ConfigError, NodeConfig};
pub use error::NodeError;
pub use node::Node;
pub use place::{FolderPlace, PlaceError};

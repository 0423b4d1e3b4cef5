//! How bundles travel: a node's folder, its neighbours, the folders and sticks in between, and the verbs that
//! use them.
//!
//! The terminal, the environment and the home directory are the caller's. One invariant holds throughout: what
//! lies at a place was sealed before, is never overwritten there, and is removed only by the node that signed it.

pub mod admission;
pub mod after_import;
pub mod check;
pub mod config;
pub mod conflicts;
pub mod contents;
pub mod database_url;
mod error;
pub mod folder;
pub mod founding;
pub mod health;
pub mod held;
mod held_id;
mod inbox;
mod kept_links;
mod last_setup;
mod lock;
pub mod log;
pub mod membership;
pub mod neighbours;
pub mod node;
mod node_names;
pub mod place;
pub mod record_names;
pub mod rejoin;
pub mod rights;
pub mod round;
mod settings;
pub mod setup;
pub mod shown;
pub mod status;
pub mod system;
pub mod takeover;
mod transaction;

pub use config::{ConfigError, NodeConfig};
pub use error::NodeError;
pub use node::Node;
pub use place::{FolderPlace, PlaceError};

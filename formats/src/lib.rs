//! Values, versions, changes and the bundle file: bytes in, bytes out.
//!
//! Nothing here knows a database, a clock, a network or a terminal. What lies on disk or on the wire has
//! its own type in a file of its own (`…V1`), and is converted explicitly to the types that the rest of
//! the program works with.

pub mod ambient;
mod archive;
mod bounded;
mod budget;
pub mod change;
pub mod codec;
mod columns;
pub mod comparison;
mod decimals;
pub mod entry_book;
pub mod envelope;
pub mod faults;
pub mod file_name;
mod frame;
pub mod hash;
pub mod header;
pub mod history;
pub mod identity;
pub mod ids;
mod integers;
mod layers;
pub mod limits;
pub mod log_entry;
pub mod members;
pub mod node_name;
mod nulls;
pub mod payload;
pub mod payload_binding;
mod payload_reader;
mod payload_writer;
pub mod row_state;
pub mod row_state_bytes;
pub mod sent_bundles;
mod short_integers;
mod split;
mod table;
mod table_description;
mod uids;
pub mod utc;
pub mod value;
pub mod version;
mod wire_value;

pub use change::{
    Action, ColumnChange, ColumnDescription, RecordChange, Seen, SeenVersions, TableChanges, TableDescription,
};
pub use comparison::{Comparison, Tell};
pub use envelope::{Head, signature_line, signed_lines};
pub use hash::row_hash;
pub use header::{Acknowledgement, BundleHeader, KeyId};
pub use identity::AssignedUids;
pub use ids::{BundleId, BundleNumber, DeploymentId, Epoch, LinkId, NodeId, Seq, TimeMs, Uid};
pub use log_entry::{LogEntry, LogHash, LogKind};
pub use members::{Binding, Health, Outcome, Receipt, ToldLog};
pub use node_name::NodeName;
pub use payload::{Levels, Payload, PayloadReader, PayloadWriter, pack, unpack};
pub use payload_binding::PayloadBinding;
pub use row_state::{ColumnState, RowState};
pub use sent_bundles::SentBundle;
pub use value::Value;
pub use version::{Version, Writer};

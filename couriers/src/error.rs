//! What can keep a node from doing what it was asked.

use std::io;
use std::path::PathBuf;

use saddlebag_bundler::HighWaterError;
use saddlebag_formats::{DeploymentId, NodeId, NodeName};
use saddlebag_importer::ImportError;
use saddlebag_keys::CardError;
use saddlebag_keys::deployment::ListError;
use saddlebag_keys::files::FileError;
use saddlebag_keys::key_file::KeyFileError;
use saddlebag_stores::StoreError;
use saddlebag_stores::tracking::TrackingError;

use crate::config::ConfigError;
use crate::database_url::DatabaseUrlError;
use crate::place::PlaceError;

/// A verb that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A folder without a node.
    #[error("there is no saddlebag node in `{}`", folder.display())]
    NotANode {
        /// Where one was looked for.
        folder: PathBuf,
    },
    /// A folder that holds a node, or the remains of one.
    #[error("`{}` holds a saddlebag node already; it was left as it is", path.display())]
    AlreadyANode {
        /// What was found there.
        path: PathBuf,
    },
    /// Another saddlebag is at work.
    #[error("another saddlebag is at work on the node in `{}`", folder.display())]
    InUse {
        /// The node's folder.
        folder: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// `saddlebag.toml`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database's URL.
    #[error(transparent)]
    DatabaseUrl(#[from] DatabaseUrlError),
    /// `saddlebag.toml` is not of the node that is being made.
    #[error("the proposed saddlebag.toml gives {what} as `{found}`, where `{expected}` was asked for")]
    OtherProposal {
        /// `name` or `database`.
        what: &'static str,
        /// What it says.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database does not let this user do what has to be done.
    #[error("the database does not give this user all rights: {}", missing.join("; "))]
    RightsMissing {
        /// Each in words, with the statement that gives it.
        missing: Vec<String>,
    },
    /// `saddlebag.toml` does not fit the database.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// A file of the node.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key of the node.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The file `node` holds no id.
    #[error("`{}` does not hold the id of a node", path.display())]
    BadNodeFile {
        /// The file.
        path: PathBuf,
    },
    /// The file that keeps the links beside the database.
    #[error("`{}` cannot be understood", path.display())]
    BadLinksFile {
        /// The file.
        path: PathBuf,
    },
    /// Rows in a database that replaces another one, whose names were lost with that.
    #[error(
        "{rows} of `{table}` in {database} cannot be told from those that the neighbours have: their names were only in the database that is gone"
    )]
    UnknownRows {
        /// Its URL.
        database: String,
        /// The table, whose identity is `assigned`.
        table: String,
        /// How many.
        rows: u64,
    },
    /// A database that belongs to a node already.
    #[error("the database {database} belongs to a saddlebag node already")]
    DatabaseTaken {
        /// Its URL.
        database: String,
    },
    /// A database that holds nothing of this node.
    #[error("the database {database} holds nothing of this node")]
    NotInDatabase {
        /// Its URL.
        database: String,
    },
    /// A database of another node.
    #[error("the database {database} belongs to another node, {found}, and not to this one, {expected}")]
    OtherNode {
        /// Its URL.
        database: String,
        /// Whose it is.
        found: NodeId,
        /// Whose folder this is.
        expected: NodeId,
    },
    /// The name in `saddlebag.toml` was changed.
    #[error("saddlebag.toml calls this node {found}, but it was made with the name {known}")]
    OtherName {
        /// What the file says.
        found: NodeName,
        /// What its cards say.
        known: NodeName,
    },
    /// A database that is older than what this node has published.
    #[error("the database was restored from a backup: it is behind what this node has already sent ({reason})")]
    DatabaseIsOlder {
        /// What is behind what.
        reason: String,
    },
    /// How far the node's stream was published.
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
    /// A table that `setup` knew and the database has not any more.
    #[error("the table `{table}` has gone from the database since `saddlebag setup` was last run")]
    TableGone {
        /// The table.
        table: String,
    },
    /// A column that `setup` knew and the table has not any more.
    #[error(
        "the column `{column}` has gone from the table `{table}` since `saddlebag setup` was last run, and saddlebag.toml \
         still names it"
    )]
    ColumnGone {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// What names the records was changed after others had been told the names.
    #[error("the records of `{table}` are known to other nodes by now, but {reason}")]
    NamedOtherwise {
        /// The table.
        table: String,
        /// What changed, as half a sentence.
        reason: String,
    },
    /// Rows that were there before are not taken in yet.
    #[error("the last `saddlebag setup` was interrupted before it had taken in all rows")]
    SetupInterrupted,
    /// A node that has not joined.
    #[error("this node belongs to no deployment yet")]
    NoDeployment,
    /// The card or the node belongs elsewhere.
    #[error("{name} belongs to the deployment {found}, and this node to {known}")]
    OtherDeployment {
        /// Whose card it is.
        name: NodeName,
        /// Its deployment.
        found: DeploymentId,
        /// This node's.
        known: DeploymentId,
    },
    /// The card of this very node.
    #[error("this is the card of this node itself")]
    OwnCard,
    /// A satellite's card where a central's is needed.
    #[error("{name} is no central, so it cannot be joined")]
    NotACentral {
        /// Whose card it is.
        name: NodeName,
    },
    /// This node has another central.
    #[error("this node has joined {central} already")]
    HasCentral {
        /// Its central.
        central: String,
    },
    /// A node that began its deployment.
    #[error("{name} has begun its deployment, so nobody is above it{}", with_satellites(*satellites))]
    HasBegun {
        /// This node.
        name: NodeName,
        /// How many satellites it has.
        satellites: usize,
    },
    /// A central that is below the node that wants to join it.
    #[error("{name} is below this node: a node cannot be above and below another one")]
    Circle {
        /// Whose card it is.
        name: NodeName,
    },
    /// A satellite that is to have satellites.
    #[error("{name} is not listed as a district, as far as it knows, so it cannot admit others yet")]
    NotADistrict {
        /// This node.
        name: NodeName,
        /// Its central.
        central: String,
    },
    /// A card that brings a list with its own node.
    #[error("{name} is listed by the deployment already, in a later list than the one that this node has")]
    ListedElsewhere {
        /// Whose card it is.
        name: NodeName,
    },
    /// A node that was admitted here, and is not listed yet, has the name.
    #[error("another node named {name} was admitted already, and waits to be listed")]
    NameEntered {
        /// The name.
        name: String,
    },
    /// The link is there.
    #[error("{name} is linked to this node already; nothing was changed")]
    AlreadyLinked {
        /// The other node.
        name: NodeName,
    },
    /// Two nodes with one name.
    #[error("the deployment already has a node named {name}")]
    NameTaken {
        /// The name.
        name: NodeName,
    },
    /// A node that may not admit.
    #[error("this node is no central of its deployment, so it cannot admit others")]
    MayNotAdmit,
    /// The deployment's key is elsewhere.
    #[error("the deployment's key is not in `{}`, and only it can admit a node", folder.display())]
    NoDeploymentKey {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A list of nodes.
    #[error(transparent)]
    List(#[from] ListError),
    /// The folder or stick.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Nobody of that name.
    #[error("this node has no link to a node named {name}")]
    UnknownPeer {
        /// The name.
        name: NodeName,
        /// Whom there is a link to.
        known: Vec<String>,
    },
    /// Nothing is held under an id.
    #[error("nothing that is held here has the id `{id}`")]
    UnknownHeld {
        /// As it was typed.
        id: String,
    },
    /// The beginning of several ids.
    #[error("several things that are held have an id like `{id}`: {}", candidates.join(", "))]
    AmbiguousHeld {
        /// As it was typed.
        id: String,
        /// Their ids, and what tells them apart.
        candidates: Vec<String>,
    },
    /// What cannot be done about a row that stays at home.
    #[error(
        "the row {row} of `{table}` is no change of another node: it stays at home, for another row has its identity"
    )]
    HeldAtHome {
        /// Its table.
        table: String,
        /// The row.
        row: String,
    },
    /// Nobody says why.
    #[error("a held change is let go only for a reason, and none was given")]
    NoReason,
    /// There is no such record.
    #[error("there is no record `{record}` in `{table}`")]
    UnknownRecord {
        /// The table.
        table: String,
        /// As it was typed.
        record: String,
    },
    /// A table that this node does not keep in step.
    #[error("`{table}` is no table that this node keeps in step")]
    NotTracked {
        /// As it was typed.
        table: String,
        /// Those that it keeps.
        known: Vec<String>,
    },
    /// A column by which no record can be looked for.
    #[error("`{table}` has no column `{column}` that is kept in step or is its whole key")]
    UnknownColumn {
        /// The table.
        table: String,
        /// As it was typed.
        column: String,
    },
    /// Several records are meant where one has to be.
    #[error("{count} records of `{table}` are `{record}`: {}{}", uids.join(", "), if *count > uids.len() { " …" } else { "" })]
    ManyRecords {
        /// The table.
        table: String,
        /// As it was typed.
        record: String,
        /// How many they are.
        count: usize,
        /// The first of them.
        uids: Vec<String>,
    },
    /// The log is asked for a neighbour that is none.
    #[error("this node has no neighbour `{name}`")]
    UnloggedPeer {
        /// As it was typed.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// There is no such conflict.
    #[error("there is no conflict with the number {number}")]
    UnknownConflict {
        /// As it was typed.
        number: u64,
        /// How many there are.
        count: usize,
    },
    /// There is no such conflict at a satellite.
    #[error(
        "there is no conflict with the number {number} here: what this node and {central} disagree about is decided at {central}"
    )]
    ConflictElsewhere {
        /// As it was typed.
        number: u64,
        /// The central.
        central: String,
    },
    /// A conflict that cannot be decided in this way.
    #[error("conflict {number}: {reason}")]
    Conflict {
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
    /// A bundle that only another node can open.
    #[error("`{}` is sealed for {to}: nobody else can open it{}", file.display(), if *is_own { ", not even this node, which made it" } else { "" })]
    SealedForOther {
        /// The file.
        file: PathBuf,
        /// For whom.
        to: String,
        /// Whether this node made it.
        is_own: bool,
    },
    /// A bundle that is refused.
    #[error("`{}`: {source}", file.display())]
    BundleFile {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Box<ImportError>,
    },
    /// What is held, and the database.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl NodeError {
    /// What to do next, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotANode { .. } => "run `saddlebag init`, or name the node's folder with `--node`",
            Self::AlreadyANode { .. } => "choose another folder with `--node`; a node is never overwritten",
            Self::InUse { .. } => "wait until it has ended, then try again",
            Self::DatabaseTaken { .. } => "run `saddlebag remove` for that node first, if it is not used any more",
            Self::NotInDatabase { .. } => {
                "check `database` in saddlebag.toml; if the database was replaced by this one, run `saddlebag rejoin`; if the node was \
                 removed from it, make a new one in an empty folder"
            }
            Self::BadLinksFile { .. } => {
                "restore the file from a copy of the node's folder; where nothing was lost, take it away"
            }
            Self::UnknownRows { .. } => {
                "nothing was changed; restore a backup that was made with saddlebag's tables, or begin with that table empty: its \
                 records come back from the neighbours"
            }
            Self::OtherNode { .. } => "check `database` in saddlebag.toml, and which folder `--node` names",
            Self::OtherName { .. } => "put the old name back: a node keeps its name",
            Self::BadNodeFile { .. } => "restore the file from a copy of the node's folder",
            Self::DatabaseIsOlder { .. } => {
                "nothing was changed; if it is the right database, run `saddlebag rejoin`: what is lacking here comes back from the \
                 neighbours, and nothing that either has is lost"
            }
            Self::HighWater(_) => "restore the file from a copy of the node's folder, or ask for help",
            Self::RightsMissing { .. } => {
                "nothing was changed; have the administrator of the database run these, then try again; docs/postgresql.md \
                 has the reasons"
            }
            Self::TableGone { table } => {
                return Some(format!(
                    "if the application does without it, remove [tables.{table}] from saddlebag.toml; if it has another \
                     name now, name it there; if neither, check that `database` names the right one; then run \
                     `saddlebag setup`"
                ));
            }
            Self::ColumnGone { table, .. } => {
                return Some(format!("correct [tables.{table}] in saddlebag.toml, then run `saddlebag setup`"));
            }
            Self::NamedOtherwise { table, .. } => {
                return Some(format!(
                    "put [tables.{table}] in saddlebag.toml back as it was; to change it all the same, take in what still \
                     travels, run `saddlebag remove` at every node, and make the nodes anew with `saddlebag init`"
                ));
            }
            Self::SetupInterrupted => "run `saddlebag setup` again: it goes on where it stopped",
            Self::NoDeployment => "join first: `saddlebag join CENTRAL.card`",
            Self::OtherDeployment { .. } | Self::HasCentral { .. } => {
                "a node belongs to one deployment and has one central; make another node with `saddlebag init`"
            }
            Self::OwnCard => "it is for the other node: carry it there",
            Self::NotACentral { .. } => "ask for the central's card; at the central, `admit` takes a satellite's card",
            Self::HasBegun { .. } => {
                "a satellite needs a node of its own: make one with `saddlebag init NAME --database URL`, and join with that"
            }
            Self::Circle { .. } => "join a node that is above this one, or none",
            Self::NotADistrict { name, central } => {
                return Some(format!(
                    "at {central}, type `saddlebag admit {name}.card --district`, with the card that `saddlebag card` \
                     makes here; then sync there and here"
                ));
            }
            Self::ListedElsewhere { .. } => "sync first, so that this node has the latest list; then try again",
            Self::AlreadyLinked { .. } => "carry on with `saddlebag sync`",
            Self::NameTaken { .. } | Self::NameEntered { .. } => {
                "make this node again with another name: names are never used twice"
            }
            Self::MayNotAdmit => "admit the node at the central; a node that has joined may become one itself",
            Self::NoDeploymentKey { .. } => "put the file `deployment.key` back into that folder for the moment",
            Self::UnknownPeer { known, .. } => return Some(known_peers(known)),
            Self::UnknownHeld { .. } => "`saddlebag held` lists what is held, with its ids",
            Self::AmbiguousHeld { .. } => "give more digits of the id",
            Self::HeldAtHome { .. } => {
                "correct the key of one of the two rows in the application, or delete one; `saddlebag held show` has both"
            }
            Self::NoReason => "say why with `--reason`: the others will want to know",
            Self::UnknownRecord { .. } => "give its uid, or its primary key in this database",
            Self::NotTracked { known, .. } => return Some(format!("it keeps these: {}", known.join(", "))),
            Self::UnknownColumn { .. } => "`saddlebag setup --dry-run` lists the columns that are kept in step",
            Self::ManyRecords { .. } => "name one by its uid, or by a column that tells them apart",
            Self::UnloggedPeer { known, .. } if known.is_empty() => {
                "it has none yet: `saddlebag admit`, `saddlebag join`"
            }
            Self::UnloggedPeer { known, .. } => return Some(format!("its neighbours: {}", known.join(", "))),
            Self::UnknownConflict { count: 0, .. } => "there are no conflicts at this node",
            Self::UnknownConflict { .. } => "`saddlebag conflicts --all` lists them, with their numbers",
            Self::Conflict { .. } => "nothing was changed; `saddlebag conflicts show` has both sides",
            Self::ConflictElsewhere { .. } => {
                "ask the people there to run `saddlebag conflicts resolve`; or change the value here: that is an edit"
            }
            Self::SealedForOther { is_own: false, .. } => "carry it on: it is for somebody else",
            Self::SealedForOther { .. } => "run `saddlebag cat` at the node that it is for",
            Self::BundleFile { source, .. } => return source.hint().map(str::to_owned),
            Self::Import(error) => return error.hint().map(str::to_owned),
            Self::Tracking(error) => return Some(error.hint()),
            Self::Store(error) => error.hint(),
            Self::DatabaseUrl(error) => error.hint(),
            other => return other.source_hint().map(str::to_owned),
        };
        Some(text.to_owned())
    }

    fn source_hint(&self) -> Option<&'static str> {
        match self {
            Self::Config(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Key(error) => error.hint(),
            Self::Card(error) => error.hint(),
            Self::List(error) => error.hint(),
            Self::Place(error) => error.hint(),
            _ => None,
        }
    }
}

fn with_satellites(satellites: usize) -> String {
    match satellites {
        0 => String::new(),
        1 => "; it has a satellite of its own".to_owned(),
        many => format!("; it has {many} satellites of its own"),
    }
}

fn known_peers(known: &[String]) -> String {
    match known {
        [] => "there are no links yet: `saddlebag join` or `saddlebag admit` makes one".to_owned(),
        names => format!("there are links to: {}", names.join(", ")),
    }
}

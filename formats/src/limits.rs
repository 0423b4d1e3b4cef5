//! Every count, length, depth and size that a received byte may claim.

/// First line of a bundle, without its line feed: `saddlebag bundle 1`.
pub const MAGIC_BYTES: usize = 18;
/// The header line of a bundle.
pub const HEADER_BYTES_MAX: usize = 4 * 1024;
/// The signature line of a bundle.
pub const SIGNATURE_LINE_BYTES_MAX: usize = 128;
/// A bundle's payload: 1 GiB.
pub const PAYLOAD_BYTES_MAX: u64 = 1 << 30;
/// All members of a bundle together, unpacked: 4 GiB.
pub const UNPACKED_BYTES_MAX: u64 = 4 << 30;
/// The window that a zstd frame may ask for: 2^23 bytes, 8 MiB.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Members of one bundle.
pub const MEMBERS_MAX: usize = 10_000;
/// One member, unpacked: 64 MiB.
pub const MEMBER_BYTES_MAX: usize = 64 << 20;

/// Bytes of text and content in one record: a member must hold it, with all that stands beside the values.
pub const RECORD_BYTES_MAX: usize = 63 << 20;
/// Records in one bundle, unless the configuration says less.
pub const RECORDS_PER_BUNDLE_MAX: usize = 100_000;
/// Records in one `changes` member.
pub const RECORDS_PER_MEMBER_MAX: usize = 10_000;
/// A card: 1 MiB, which holds a list of some 3,500 nodes.
pub const CARD_BYTES_MAX: usize = 1 << 20;
/// A name or an identity on a card.
pub const CARD_TEXT_BYTES_MAX: usize = 4 * 1024;
/// A node's name.
pub const NODE_NAME_CHARS_MAX: usize = 32;
/// How far one bundle may move a feed: 2^48 places.
pub const SEQ_JUMP_MAX: u64 = 1 << 48;
/// The member `bundle`, which may carry the list of nodes: 4 MiB.
pub const BINDING_BYTES_MAX: usize = 4 << 20;
/// Entries in one bundle, and refusals of entries: with cards of at most [`ENTRY_CARD_BYTES_MAX`] they leave room for
/// the list of nodes.
pub const ENTRIES_MAX: usize = 100;
/// The card in an entry, which brings no deployment: 16 KiB.
pub const ENTRY_CARD_BYTES_MAX: usize = 16 << 10;
/// The member `health`: 1 MiB.
pub const HEALTH_BYTES_MAX: usize = 1 << 20;
/// Receipts in one bundle: one for every record of a bundle, and as many repeated ones.
pub const RECEIPTS_MAX: usize = 2 * RECORDS_PER_BUNDLE_MAX;
/// Bundles made for one neighbour that a node remembers until they are acknowledged; of older ones it knows nothing.
pub const SENT_BUNDLES_MAX: usize = 1_000;
/// Records whose hashes one bundle tells, where two places differ.
pub const DIGEST_RECORDS_MAX: usize = 20_000;
/// Tables in one `changes` member.
pub const TABLES_PER_MEMBER_MAX: usize = 1_000;
/// Columns of one table. SQLite has at most 2,000 unless built otherwise, PostgreSQL 1,600, MariaDB 4,096.
pub const COLUMNS_PER_TABLE_MAX: usize = 4_096;
/// Values in one `changes` member: its records together, column by column.
pub const VALUES_PER_MEMBER_MAX: usize = 1_000_000;
/// Values in one bundle: what a machine of 3 GB can hold.
pub const VALUES_PER_BUNDLE_MAX: usize = 10_000_000;
/// The texts and bytes of one member once its dictionaries are spelled out: 64 MiB.
pub const VALUE_BYTES_PER_MEMBER_MAX: usize = MEMBER_BYTES_MAX;
/// Records that one `changes` member names, its own and those referred to.
pub const UIDS_PER_MEMBER_MAX: usize = VALUES_PER_MEMBER_MAX + RECORDS_PER_MEMBER_MAX;
/// The latest time that a version may have: the end of the year 9999. A later edit adds one millisecond to the version
/// before, so there must be room above.
pub const TIME_MS_MAX: i64 = 253_402_300_799_999;

//! What the application does, and what the journal says of it, on a live server.

mod altered;
mod capture;
mod own;
mod partitions;
mod site;
mod taking;
mod upkeep;
mod values;

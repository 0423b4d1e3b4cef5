//! A clinic's database, a believable day's work in it, and a comparison of such databases.
//!
//! Nothing here knows saddlebag: the work goes through plain SQL as an application would do it, and the
//! comparison reads the application's tables alone.

pub mod clinic;
pub mod compare;
mod complaints;
pub mod day;
mod desk;
pub mod dice;
mod names;
pub mod profiles;
mod site;
mod visit;

pub use clinic::{create, reference_data};
pub use compare::{CompareError, Comparison, TableComparison, compare, compare_by};
pub use day::{Clinic, DaySummary, work_day};
pub use desk::{DeletedEntry, Patient, change_phone, patients};
pub use dice::Dice;
pub use names::phone as phone_number;
pub use site::{SharedKeys, Site, SiteError, shared_keys};
pub use visit::{Consultation, Correction};

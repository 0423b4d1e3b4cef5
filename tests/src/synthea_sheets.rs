//! Synthea's files as they are: which columns each has, and what they hold.

use std::path::Path;

use csv::StringRecord;

/// A CSV file and the table that it goes into. The file's columns are in the table's order.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The record's own uuid.
    Id,
    Text,
    Real,
    Whole,
    /// The uuid of a record in another table.
    To(&'static str),
}

use Kind::{Id, Real, Text, To, Whole};

const ORGANIZATION: Kind = To("organizations");
const PROVIDER: Kind = To("providers");
pub(crate) const PATIENT: Kind = To("patients");
const ENCOUNTER: Kind = To("encounters");

pub(crate) const SHEETS: [Sheet; 7] = [
    Sheet {
        table: "organizations",
        columns: &[
            ("Id", Id),
            ("NAME", Text),
            ("ADDRESS", Text),
            ("CITY", Text),
            ("STATE", Text),
            ("ZIP", Text),
            ("LAT", Real),
            ("LON", Real),
            ("PHONE", Text),
            ("REVENUE", Real),
            ("UTILIZATION", Whole),
        ],
    },
    Sheet {
        table: "providers",
        columns: &[
            ("Id", Id),
            ("ORGANIZATION", ORGANIZATION),
            ("NAME", Text),
            ("GENDER", Text),
            ("SPECIALITY", Text),
            ("ADDRESS", Text),
            ("CITY", Text),
            ("STATE", Text),
            ("ZIP", Text),
            ("LAT", Real),
            ("LON", Real),
            ("UTILIZATION", Whole),
        ],
    },
    Sheet {
        table: "patients",
        columns: &[
            ("Id", Id),
            ("BIRTHDATE", Text),
            ("DEATHDATE", Text),
            ("SSN", Text),
            ("DRIVERS", Text),
            ("PASSPORT", Text),
            ("PREFIX", Text),
            ("FIRST", Text),
            ("LAST", Text),
            ("SUFFIX", Text),
            ("MAIDEN", Text),
            ("MARITAL", Text),
            ("RACE", Text),
            ("ETHNICITY", Text),
            ("GENDER", Text),
            ("BIRTHPLACE", Text),
            ("ADDRESS", Text),
            ("CITY", Text),
            ("STATE", Text),
            ("COUNTY", Text),
            ("ZIP", Text),
            ("LAT", Real),
            ("LON", Real),
            ("HEALTHCARE_EXPENSES", Real),
            ("HEALTHCARE_COVERAGE", Real),
        ],
    },
    Sheet {
        table: "encounters",
        columns: &[
            ("Id", Id),
            ("START", Text),
            ("STOP", Text),
            ("PATIENT", PATIENT),
            ("ORGANIZATION", ORGANIZATION),
            ("PROVIDER", PROVIDER),
            ("PAYER", Text),
            ("ENCOUNTERCLASS", Text),
            ("CODE", Text),
            ("DESCRIPTION", Text),
            ("BASE_ENCOUNTER_COST", Real),
            ("TOTAL_CLAIM_COST", Real),
            ("PAYER_COVERAGE", Real),
            ("REASONCODE", Text),
            ("REASONDESCRIPTION", Text),
        ],
    },
    Sheet {
        table: "conditions",
        columns: &[
            ("START", Text),
            ("STOP", Text),
            ("PATIENT", PATIENT),
            ("ENCOUNTER", ENCOUNTER),
            ("CODE", Text),
            ("DESCRIPTION", Text),
        ],
    },
    Sheet {
        table: "observations",
        columns: &[
            ("DATE", Text),
            ("PATIENT", PATIENT),
            ("ENCOUNTER", ENCOUNTER),
            ("CATEGORY", Text),
            ("CODE", Text),
            ("DESCRIPTION", Text),
            ("VALUE", Text),
            ("UNITS", Text),
            ("TYPE", Text),
        ],
    },
    Sheet {
        table: "medications",
        columns: &[
            ("START", Text),
            ("STOP", Text),
            ("PATIENT", PATIENT),
            ("PAYER", Text),
            ("ENCOUNTER", ENCOUNTER),
            ("CODE", Text),
            ("DESCRIPTION", Text),
            ("BASE_COST", Real),
            ("PAYER_COVERAGE", Real),
            ("DISPENSES", Whole),
            ("TOTALCOST", Real),
            ("REASONCODE", Text),
            ("REASONDESCRIPTION", Text),
        ],
    },
];

/// The name of a sheet's column in the table.
pub(crate) fn sql_name(name: &str, kind: Kind) -> String {
    match kind {
        Id => "uuid".to_owned(),
        To(_) => format!("{}_id", name.to_lowercase()),
        _ => name.to_lowercase(),
    }
}

/// The file's records, and where in them each of the sheet's columns stands.
pub(crate) fn read(path: &Path, sheet: &Sheet) -> csv::Result<(Vec<usize>, Vec<StringRecord>)> {
    let mut reader = csv::Reader::from_path(path)?;
    let headers = reader.headers()?.clone();
    let place = |(name, _): &(&str, Kind)| {
        let missing = || csv::Error::from(std::io::Error::other(format!("there is no column {name}")));
        headers.iter().position(|header| header == *name).ok_or_else(missing)
    };
    let places = sheet.columns.iter().map(place).collect::<csv::Result<_>>()?;
    Ok((places, reader.records().collect::<csv::Result<_>>()?))
}

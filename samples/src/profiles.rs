//! Profiles: how the tables of a well-known application are kept in step, thought through and tried.

/// All of them, by name.
const ALL: [(&str, &str); 2] =
    [("gnuhealth", include_str!("../profiles/gnuhealth.toml")), ("openmrs", include_str!("../profiles/openmrs.toml"))];

/// The profile of this name: sections `[tables.NAME]` of a `saddlebag.toml`.
#[must_use]
pub fn named(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

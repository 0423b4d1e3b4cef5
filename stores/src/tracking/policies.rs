//! What a configuration says of single columns and of groups of them, checked against the table.

use super::{TrackedTable, TrackingError};
use crate::config::TableConfig;

/// A setting about a column that does not fit it; `reason` follows the names of table and column.
pub(super) fn refused(table: &TrackedTable, setting: &'static str, column: &str, reason: &str) -> TrackingError {
    TrackingError::ColumnSetting {
        table: table.name.clone(),
        column: column.to_owned(),
        setting,
        reason: reason.to_owned(),
    }
}

/// The index of a column that a setting names.
pub(super) fn index_of(
    table: &TrackedTable,
    wanted: &TableConfig,
    setting: &'static str,
    name: &str,
) -> Result<usize, TrackingError> {
    let is_excluded = wanted.exclude.iter().any(|excluded| excluded == name);
    let reason = if is_excluded { "which is excluded" } else { "which is no shared column of it" };
    table.column_index(name).ok_or_else(|| refused(table, setting, name, reason))
}

/// The columns that are merged as one value, by id. All of a group follow one rule.
pub(super) fn groups(table: &TrackedTable, wanted: &TableConfig) -> Result<Vec<Vec<u16>>, TrackingError> {
    let mut groups: Vec<Vec<u16>> = Vec::with_capacity(wanted.together.len());
    for names in &wanted.together {
        let Some(first) = names.first() else { continue };
        let mut group = Vec::with_capacity(names.len());
        let rule = table.columns[index_of(table, wanted, "together", first)?].conflicts;
        for name in names {
            let column = &table.columns[index_of(table, wanted, "together", name)?];
            if group.contains(&column.id) || groups.iter().any(|group| group.contains(&column.id)) {
                return Err(refused(table, "together", name, "which it names twice"));
            }
            if column.is_quiet {
                return Err(refused(table, "quiet", name, "which is merged together with others"));
            }
            if column.conflicts != rule {
                let reason = format!("which is merged together with `{first}` and has another rule");
                return Err(refused(table, "conflicts", name, &reason));
            }
            group.push(column.id);
        }
        if group.len() < 2 {
            return Err(refused(table, "together", first, "alone: at least two columns are merged together"));
        }
        groups.push(group);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use crate::config::{ConflictPolicy, DeletePolicy, TablesConfig};
    use crate::schema::{Column, Schema, Table};
    use crate::tracking::{Numbering, TrackedTable, Tracking, TrackingError};

    fn resolve(settings: &str) -> Result<TrackedTable, TrackingError> {
        let column = |name: &str| Column {
            name: name.into(),
            declared_type: if name == "id" { "INTEGER" } else { "TEXT" }.into(),
            not_null: false,
            default: None,
        };
        let table = Table {
            name: "drug".into(),
            columns: ["id", "name", "dose", "unit", "write_date"].map(column).into(),
            primary_key: vec!["id".into()],
            foreign_keys: Vec::new(),
            unique: Vec::new(),
            key_is_given: true,
            unsupported: None,
        };
        let schema = Schema { tables: vec![table], has_triggers: false };
        let config: TablesConfig = toml::from_str(&format!("[drug]\nidentity = 'assigned'\n{settings}")).unwrap();
        let tracking = Tracking::resolve(&config, &schema, &Numbering::default())?;
        Ok(tracking.by_name("drug").unwrap().clone())
    }

    #[test]
    fn each_column_knows_its_rule_and_its_group() {
        let drug = resolve(
            "conflicts = { default = 'ask', name = 'central' }\ntogether = [['dose', 'unit']]\n\
             quiet = ['write_date']\ndelete = 'delete'",
        )
        .unwrap();
        let column = |name: &str| &drug.columns[drug.column_index(name).unwrap()];
        assert_eq!(column("name").conflicts, ConflictPolicy::Central);
        assert_eq!(column("unit").conflicts, ConflictPolicy::Ask);
        assert!(column("write_date").is_quiet && !column("name").is_quiet);
        assert_eq!(drug.delete, DeletePolicy::Delete);
        let (name, dose, unit) = (column("name").id, column("dose").id, column("unit").id);
        assert_eq!((drug.group_of(dose), drug.group_of(unit), drug.group_of(name)), (Some(0), Some(0), None));
        assert_eq!(drug.with_companions(&[unit, name]), [unit, name, dose]);
        assert_eq!(drug.with_companions(&[name]), [name]);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_setting() {
        let wrong = |settings: &str| match resolve(settings) {
            Err(TrackingError::ColumnSetting { setting, column, reason, .. }) => (setting, column, reason),
            other => panic!("{settings}: {other:?}"),
        };
        for (settings, setting, column, says) in [
            ("conflicts = { fone = 'ask' }", "conflicts", "fone", "no shared column"),
            ("quiet = ['written']", "quiet", "written", "no shared column"),
            ("quiet = ['dose']\nexclude = ['dose']", "quiet", "dose", "excluded"),
            ("together = [['dose', 'units']]", "together", "units", "no shared column"),
            ("together = [['dose']]", "together", "dose", "at least two"),
            ("together = [['dose', 'dose']]", "together", "dose", "twice"),
            ("together = [['dose', 'unit'], ['unit', 'name']]", "together", "unit", "twice"),
            ("together = [['dose', 'unit']]\nquiet = ['unit']", "quiet", "unit", "together"),
            ("together = [['dose', 'unit']]\nconflicts = { unit = 'ask' }", "conflicts", "unit", "`dose`"),
        ] {
            let (told, name, reason) = wrong(settings);
            assert_eq!((told, name.as_str()), (setting, column), "{settings}");
            assert!(reason.contains(says), "{settings}: {reason}");
        }
    }
}

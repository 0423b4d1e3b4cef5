//! Tables that inherit from others: a query of the parent gives the rows of the children, too.

use saddlebag_stores::Store as _;
use saddlebag_stores::config::TablesConfig;
use saddlebag_stores::postgres::PostgresStore;
use saddlebag_stores::tracking::{Numbering, Tracking};
use saddlebag_tests::app::Server;
use saddlebag_tests::leases::{Lease, needs_postgres};

#[test]
fn a_table_that_others_inherit_from_is_refused_with_the_reason() {
    if !needs_postgres("odd_names::inherited::a_table_that_others_inherit_from_is_refused_with_the_reason") {
        return;
    }
    let lease = Lease::new();
    let server = Server::connect(lease.url()).unwrap();
    let tables = "CREATE TABLE person (id integer PRIMARY KEY, name text);
        CREATE TABLE patient (id integer PRIMARY KEY, ward text) INHERITS (person);
        CREATE TABLE visit (id integer PRIMARY KEY, at date) PARTITION BY RANGE (id);
        CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (1) TO (1000)";
    server.batch(tables).unwrap();
    let mut store = PostgresStore::open(lease.url()).unwrap();
    let schema = store.schema().unwrap();
    let resolve = |table: &str| {
        let config: TablesConfig = toml::from_str(&format!("[{table}]\nidentity = 'assigned'")).unwrap();
        Tracking::resolve(&config, &schema, &Numbering::default()).map(drop).map_err(|error| error.to_string())
    };
    let refused = resolve("person").unwrap_err();
    assert!(refused.contains("`person`") && refused.contains("other tables inherit"), "{refused}");
    // Its child holds its own rows alone, and partitions are something else.
    assert_eq!((resolve("patient"), resolve("visit")), (Ok(()), Ok(())));
}

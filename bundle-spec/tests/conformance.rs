//! The conformance statement names tests that exist.

use std::{fs, path::Path};

#[test]
fn every_test_in_the_conformance_statement_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let statement = fs::read_to_string(root.join("conformance.md")).unwrap();
    let rows = statement.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let names: Vec<&str> = rows.filter_map(|line| line.rsplit('`').nth(1)).collect();
    assert!(names.len() > 50, "only {} rows name a test", names.len());
    for name in names {
        let (file, test) = name.split_once("::").unwrap_or(("rules", name));
        let sources = [
            format!("tests/{file}.rs"),
            format!("src/{file}.rs"),
            format!("src/{file}/tests.rs"),
            format!("../src/{file}.rs"),
            format!("../simulations/{file}.rs"),
        ];
        let texts = sources.iter().filter_map(|source| fs::read_to_string(root.join(source)).ok());
        let declaration = format!("fn {test}()");
        assert!(texts.into_iter().any(|text| text.contains(&declaration)), "{name} does not exist");
    }
}

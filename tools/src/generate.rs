//! Generated files: written from what the program knows of itself, kept under `tools/generated/`, compared
//! in tests.

use std::{fs, io, path::Path};

use crate::field::FieldError;

/// Writes the files, or says which are stale.
pub fn run(check: bool) -> Result<(), FieldError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    let mut stale = Vec::new();
    let files = pannier::cli::generated()?;
    for (name, content) in &files {
        let path = folder.join(name);
        if read(&path)?.as_ref() == Some(content) {
            continue;
        }
        if check {
            stale.push(name.as_str());
            continue;
        }
        fs::create_dir_all(path.parent().expect("a generated file lies in a folder"))?;
        fs::write(&path, content)?;
        println!("wrote {name}");
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(FieldError::Broken(format!("stale: {}; run `cargo xtask gen`", stale.join(", "))))
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

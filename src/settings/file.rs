//! What was typed: the file, `--set`, and which of them a value comes from. Knows the table of keys and TOML;
//! never looks at the file system.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use toml::{Table, Value};

use super::{SettingsError, keys};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    BuiltIn,
    /// The configuration file.
    File(PathBuf),
    /// `--set`.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// Values by the name of their key.
pub type Values = BTreeMap<&'static str, (Value, Origin)>;

/// Adds what a configuration file says.
///
/// # Errors
/// `Syntax` or `UnknownKey`.
pub fn read(values: &mut Values, path: &std::path::Path, content: &str) -> Result<(), SettingsError> {
    let table: Table = content.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| content[..span.start].matches('\n').count() + 1);
        SettingsError::Syntax { path: path.to_owned(), line, detail: error.message().to_owned() }
    })?;
    let origin = Origin::File(path.to_owned());
    for (name, value) in flatten(table) {
        let key = known(&name, &origin)?;
        values.insert(key.name, (value, origin.clone()));
    }
    Ok(())
}

/// Adds one `section.key=value`. The value is read as TOML, or as text if it is none.
///
/// # Errors
/// `Assignment` or `UnknownKey`.
pub fn set(values: &mut Values, assignment: &str) -> Result<(), SettingsError> {
    let Some((name, typed)) = assignment.split_once('=') else {
        return Err(SettingsError::Assignment(assignment.to_owned()));
    };
    let key = known(name.trim(), &Origin::CommandLine)?;
    values.insert(key.name, (loose(typed.trim()), Origin::CommandLine));
    Ok(())
}

/// A value as people type it without quotes: TOML where it is TOML, text otherwise.
#[must_use]
pub fn loose(typed: &str) -> Value {
    let parsed = format!("value = {typed}").parse::<Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(typed.to_owned()))
}

fn known(name: &str, origin: &Origin) -> Result<&'static keys::Key, SettingsError> {
    keys::find(name).ok_or_else(|| SettingsError::UnknownKey {
        key: name.to_owned(),
        origin: origin.clone(),
        nearest: keys::nearest(name),
    })
}

/// Tables become dotted names, one level after another.
fn flatten(table: Table) -> Vec<(String, Value)> {
    let mut open: Vec<(String, Value)> = table.into_iter().collect();
    let mut flat = Vec::new();
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Table(inner) => {
                open.extend(inner.into_iter().map(|(leaf, value)| (format!("{name}.{leaf}"), value)));
            }
            value => flat.push((name, value)),
        }
    }
    flat.sort_by(|left, right| left.0.cmp(&right.0));
    flat
}

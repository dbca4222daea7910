//! `cargo xtask interop`: this node before the agents of others, as processes on this machine. Every cell
//! of the table is as it must be, or a peer's own documented fault, or the run fails.

use std::{
    cell::OnceCell,
    env, fs,
    path::{Path, PathBuf},
};

mod agent;
mod capture;
mod courses;
mod dtnd;
mod hardy;
pub mod http;
pub mod install;
mod pannier;
mod process;
mod suites;
mod table;

pub use self::{
    agent::{Agent, Road, Wish},
    courses::payload,
    dtnd::Dtnd,
    hardy::Hardy,
    http::Http,
    pannier::Pannier,
    process::wait_for,
};
use self::{install::Found, table::Table};
use crate::field::FieldError;

/// What was asked for.
pub struct Options {
    /// Which suites; all if none is named.
    pub only: Vec<String>,
    /// Whether the homes and logs of the agents are kept.
    pub keep: bool,
    /// Whether the table is written into the README.
    pub write: bool,
}

/// Everything a suite needs.
struct Run {
    table: Table,
    /// Where agents have their homes.
    folder: PathBuf,
    peers: Peers,
    binary: OnceCell<PathBuf>,
}

/// Peers, each looked for when it is first needed.
#[derive(Default)]
struct Peers {
    dtn7: OnceCell<Found>,
    hardy: OnceCell<Found>,
}

impl Peers {
    fn dtn7(&self) -> Found {
        self.dtn7.get_or_init(install::dtn7).clone()
    }

    fn hardy(&self) -> Found {
        self.hardy.get_or_init(install::hardy).clone()
    }
}

impl Run {
    /// Our own program, built when it is first needed.
    fn binary(&self) -> Result<PathBuf, FieldError> {
        if let Some(binary) = self.binary.get() {
            return Ok(binary.clone());
        }
        let binary = install::pannier()?;
        Ok(self.binary.get_or_init(|| binary).clone())
    }

    /// A folder for the agents of one course.
    fn stage(&self, name: &str) -> Result<PathBuf, FieldError> {
        agent::folder_of(&self.folder, name)
    }
}

/// Runs the suites, prints the table, and fails if a cell is not as it must be.
pub fn run(options: &Options) -> Result<(), FieldError> {
    let known = suites::ALL.map(|(name, _)| name);
    if let Some(unknown) = options.only.iter().find(|name| !known.contains(&name.as_str())) {
        let known = known.join("`, `");
        return Err(FieldError::Broken(format!("no suite `{unknown}`; there are `{known}`")));
    }
    let folder = env::temp_dir().join(format!("pannier-interop-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let mut run = Run { table: Table::default(), folder, peers: Peers::default(), binary: OnceCell::new() };
    print!("{}", table::head());
    for (name, suite) in suites::ALL {
        if options.only.is_empty() || options.only.iter().any(|asked| asked == name) {
            suite(&mut run);
        }
    }
    let bad = run.table.bad();
    if options.keep || bad > 0 {
        eprintln!("homes and logs are left in {}", run.folder.display());
    } else {
        fs::remove_dir_all(&run.folder)?;
    }
    if options.write {
        run.table.write_into(Path::new("README.md"))?;
    }
    match bad {
        0 => Ok(()),
        _ => Err(FieldError::Broken(format!("{bad} cells are not as they must be"))),
    }
}

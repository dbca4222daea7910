//! The peers: found in the user's cache folder, or installed there by their ordinary package managers. What
//! cannot be installed is said in the table.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::field::FieldError;

/// Versions that runs are made with.
pub const DTN7: &str = "0.21.0";
pub const PYD3TN: &str = "0.15.2";
/// Names of peers in the table.
pub const DTND_NAME: &str = "dtnd 0.21.0";
pub const HARDY_NAME: &str = "hardy 0.2.0";
pub const PYD3TN_NAME: &str = "pyd3tn 0.15.2";

/// Where a peer's program is, or why it is not there.
pub type Found = Result<PathBuf, String>;

/// The folder of `dtnd` and friends.
pub fn dtn7() -> Found {
    let root = cache()?.join(format!("dtn7-{DTN7}"));
    let binaries = root.join("bin");
    if binaries.join("dtnd").is_file() {
        return Ok(binaries);
    }
    eprintln!("installing dtn7 {DTN7}; it takes some minutes");
    let mut command = Command::new("cargo");
    command.args(["install", "--quiet", "--locked", "--version", DTN7, "dtn7", "--root"]).arg(&root);
    command.arg("--target-dir").arg(cache()?.join("target"));
    run(command, &cache()?)?;
    Ok(binaries)
}

/// The hardy node of `tools/interop/hardy`.
pub fn hardy() -> Found {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/hardy");
    let target = cache()?.join("target-hardy");
    eprintln!("building a hardy node, unless it is there");
    let mut command = Command::new("cargo");
    command
        .args(["build", "--quiet", "--locked", "--release", "--manifest-path"])
        .arg(folder.join("Cargo.toml"));
    command.arg("--target-dir").arg(&target);
    run(command, &folder)?;
    Ok(target.join("release/interop-hardy"))
}

/// A Python that has pyd3tn.
pub fn pyd3tn() -> Found {
    let venv = cache()?.join(format!("pyd3tn-{PYD3TN}"));
    let python = venv.join("bin/python");
    let probe = |python: &Path| {
        let mut command = Command::new(python);
        command
            .args(["-c", "import pyd3tn.bundle7, pyd3tn.mtcp"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if probe(&python) {
        return Ok(python);
    }
    let mut command = Command::new("python3");
    command.args(["-m", "venv"]).arg(&venv);
    run(command, &cache()?)?;
    let mut command = Command::new(&python);
    command.args(["-m", "pip", "install", "--quiet", &format!("pyd3tn=={PYD3TN}")]);
    run(command, &cache()?)?;
    Ok(python)
}

/// Our own program, built in the profile of this one.
pub fn pannier() -> Result<PathBuf, FieldError> {
    let (profile, flags): (_, &[&str]) = match cfg!(debug_assertions) {
        true => ("debug", &[]),
        false => ("release", &["--release"]),
    };
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--package", "pannier", "--bins"])
        .args(flags)
        .status()?;
    if !status.success() {
        return Err(FieldError::Broken("the build failed".to_owned()));
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(fs::canonicalize(target.join(profile).join("pannier"))?)
}

/// Where tshark is, if it is.
pub fn tshark() -> Found {
    let version = Command::new("tshark").arg("--version").output();
    match version {
        Ok(_) => Ok(PathBuf::from("tshark")),
        Err(_) => Err("tshark is not installed; `./tools/install` installs it".to_owned()),
    }
}

/// The folder of installed peers, which is made if it is missing.
fn cache() -> Result<PathBuf, String> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env::var_os("HOME").ok_or("HOME is not set")?).join(".cache"),
    };
    let folder = base.join("pannier/peers");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Runs an installer; what it says is the reason if it fails.
fn run(mut command: Command, folder: &Path) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.current_dir(folder).env_remove("CARGO_TARGET_DIR").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{program}` cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(said.lines().last().unwrap_or("the installer said nothing").to_owned())
}

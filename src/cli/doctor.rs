//! `pannier doctor`: one line a check. Half of them need no node; the rest is asked of the one that runs.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{Context, Exit, Failure};
use crate::{
    gateway::node_ops::{Check, Verdict},
    node::{
        clock::Clock,
        identity,
        security::{KeyFileError, load_keys},
    },
    settings::{Loaded, SecuritySettings, Settings, quantity::show_size},
    store::{LogStore, Options, Store, StoreError},
    time::Time,
};

pub(super) async fn doctor(context: &Context, quick: bool) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    let mut settings = None;
    match context.loaded() {
        Ok(loaded) => {
            checks.push(check("configuration", Verdict::Ok, described(&loaded.settings.paths.config), ""));
            offline(&loaded.settings, &mut checks);
            if !quick {
                explain(context, &loaded)?;
            }
            settings = Some(loaded.settings);
        }
        Err(failure) => checks.push(check("configuration", Verdict::Fail, failure.what, &failure.hint)),
    }
    let path = format!("/api/doctor?quick={quick}");
    let online: Result<Vec<Check>, Failure> = match context.client() {
        Ok(client) => client.get(&path).await,
        Err(failure) => Err(failure),
    };
    match online {
        Ok(found) => {
            checks.push(check("node", Verdict::Ok, String::from("running"), ""));
            checks.extend(found);
        }
        Err(failure) if matches!(failure.exit, Exit::NoNode | Exit::NotInitialised) => {
            checks.push(check("node", Verdict::Warn, failure.what, &failure.hint));
            if let Some(settings) = &settings {
                checks.extend(links(settings));
                checks.push(store(settings, quick));
            }
        }
        Err(failure) => checks.push(check("node", Verdict::Fail, failure.what, &failure.hint)),
    }
    report(context, &checks)
}

fn report(context: &Context, checks: &[Check]) -> Result<Exit, Failure> {
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    for check in checks {
        let word = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        context.printer.data(&format!("{word:<5} {:<14} {}", check.name, check.detail))?;
        if !check.hint.is_empty() {
            context.printer.data(&format!("{:<20} hint: {}", "", check.hint))?;
        }
        context.printer.line("check", check)?;
    }
    let (warned, failed) = (count(Verdict::Warn), count(Verdict::Fail));
    context.printer.line("result", json!({ "checks": checks.len(), "warn": warned, "fail": failed }))?;
    Ok(if failed == 0 { Exit::Done } else { Exit::Unhealthy })
}

/// What is in force, and where it comes from.
fn explain(context: &Context, loaded: &Loaded) -> Result<(), Failure> {
    for (key, (value, origin)) in &loaded.values {
        context.printer.data(&format!("{:<5} {key:<22} = {value}  ({origin})", "set"))?;
        let value = serde_json::to_value(value).unwrap_or_default();
        context
            .printer
            .line("setting", json!({ "key": key, "value": value, "origin": origin.to_string() }))?;
    }
    Ok(())
}

fn offline(settings: &Settings, checks: &mut Vec<Check>) {
    checks.push(key(&settings.paths.identity()));
    checks.push(clock());
    checks.push(folder("data", &settings.paths.data));
    checks.push(folder("state", &settings.paths.state));
    checks.push(space(settings));
    let security = &settings.security;
    checks.extend(security.keys.as_deref().map(|path| keys(path, security)));
    for engine in &settings.inference.engines {
        checks.push(worker_check(engine));
    }
}

fn key(path: &Path) -> Check {
    match identity::load(path) {
        Ok(key) => check("identity", Verdict::Ok, key.public().node_id().to_string(), ""),
        Err(error @ identity::IdentityError::Missing(_)) => {
            check("identity", Verdict::Fail, error.to_string(), "pannier init")
        }
        Err(error @ identity::IdentityError::Loose { .. }) => {
            check("identity", Verdict::Fail, error.to_string(), &format!("chmod 600 {}", path.display()))
        }
        Err(error) => check("identity", Verdict::Fail, error.to_string(), "restore the key from a copy"),
    }
}

/// The keys of bundle security.
fn keys(path: &Path, security: &SecuritySettings) -> Check {
    match load_keys(path, security) {
        Ok(keys) => {
            let (count, rules) = (keys.keys().len(), security.rules.rules().len());
            check("keys", Verdict::Ok, format!("{count} keys for {rules} rules in {}", described(path)), "")
        }
        Err(error @ KeyFileError::Loose { .. }) => {
            check("keys", Verdict::Fail, error.to_string(), &format!("chmod 600 {}", path.display()))
        }
        Err(error) => {
            check("keys", Verdict::Fail, error.to_string(), "edit the file, or `[security]` of the settings")
        }
    }
}

fn clock() -> Check {
    match Clock::resume(0, Time::ZERO).wall() {
        Some((wall, _)) => check("wall clock", Verdict::Ok, wall.to_string(), ""),
        None => check(
            "wall clock",
            Verdict::Warn,
            String::from("the time is not known; bundles carry their age"),
            "set the clock",
        ),
    }
}

fn folder(name: &str, path: &Path) -> Check {
    let at = described(path);
    let Ok(metadata) = fs::metadata(path) else {
        return check(name, Verdict::Fail, format!("{at} is missing"), "pannier init");
    };
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
        return check(
            name,
            Verdict::Fail,
            format!("{at} cannot be written"),
            &format!("chown it to who runs the node: {at}"),
        );
    }
    if metadata.mode() & 0o022 != 0 {
        return check(
            name,
            Verdict::Warn,
            format!("{at} can be written by others"),
            &format!("chmod go-w {}", path.display()),
        );
    }
    check(name, Verdict::Ok, at, "")
}

fn space(settings: &Settings) -> Check {
    let path = settings.store.path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let Ok(disk) = rustix::fs::statvfs(path) else {
        return check("space", Verdict::Warn, format!("{} cannot be measured", described(path)), "");
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let detail = format!("{} free, {} are kept free", show_size(free), show_size(settings.store.keep_free));
    if free <= settings.store.keep_free {
        return check("space", Verdict::Fail, detail, "free space on the disk, or lower `store.keep-free`");
    }
    check("space", Verdict::Ok, detail, "")
}

/// Whether each convergence layer of a node that does not run could listen.
fn links(settings: &Settings) -> Vec<Check> {
    let udp = |address| UdpSocket::bind(address).map(drop);
    let tcp = |address| TcpListener::bind(address).map(drop);
    let mut checks = Vec::new();
    let quic_hint = if settings.quic.listen_is_default { None } else { Some("cla.quic.listen") };
    checks.extend(settings.quic.listen.map(|address| link("quic", address, udp(address), quic_hint)));
    let streams = [
        ("tcpclv4", settings.tcpclv4.listen, "cla.tcpclv4.listen"),
        ("mtcp", settings.mtcp.listen, "cla.mtcp.listen"),
        ("stcp", settings.stcp.listen, "cla.stcp.listen"),
    ];
    for (name, address, key) in streams {
        checks.extend(address.map(|address| link(name, address, tcp(address), Some(key))));
    }
    checks.extend(
        settings.udp.listen.map(|address| link("udp", address, udp(address), Some("cla.udp.listen"))),
    );
    checks
}

/// `key` is what is to be changed if the address cannot be had; without, a free port is taken.
fn link(name: &str, address: SocketAddr, bound: io::Result<()>, key: Option<&str>) -> Check {
    let name = format!("link {name}");
    match (bound, key) {
        (Ok(()), _) => check(&name, Verdict::Ok, format!("{address} is free"), ""),
        (Err(error), None) if error.kind() == io::ErrorKind::AddrInUse => {
            check(&name, Verdict::Warn, format!("{address} is taken: another port will be used"), "")
        }
        (Err(error), key) => {
            let hint = format!("set `{}` to another address or to `off`", key.unwrap_or("cla.quic.listen"));
            check(&name, Verdict::Fail, format!("{address} cannot be listened on: {error}"), &hint)
        }
    }
}

/// The store of a node that does not run: it opens, and what is in it is what was written.
fn store(settings: &Settings, quick: bool) -> Check {
    let path = &settings.store.path;
    if !path.exists() {
        return check("store", Verdict::Ok, format!("{} is made when the node runs", described(path)), "");
    }
    let options =
        Options { quota: settings.store.quota, keep_free: settings.store.keep_free, segment_bytes: None };
    let report = LogStore::open(path, options).and_then(|store| store.check(quick));
    match report {
        Ok(report) if report.findings.is_empty() => {
            let detail = format!("{} entries and {} blocks verified", report.entries, report.blocks);
            check("store", Verdict::Ok, detail, "")
        }
        Ok(report) => {
            check("store", Verdict::Fail, report.findings.join("; "), "restore the store from a copy")
        }
        Err(error @ StoreError::InUse(_)) => check(
            "store",
            Verdict::Fail,
            error.to_string(),
            "stop the process that uses it, and run `pannier run`",
        ),
        Err(error) => check("store", Verdict::Fail, error.to_string(), "see whether the disk is sound"),
    }
}

/// Where the worker of an engine lies: beside this program.
pub(super) fn worker(engine: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(format!("pannier-{engine}"));
    path.is_file().then_some(path)
}

fn worker_check(engine: &str) -> Check {
    let name = format!("worker {engine}");
    match worker(engine) {
        Some(path) => check(&name, Verdict::Ok, described(&path), ""),
        None => check(
            &name,
            Verdict::Warn,
            format!("there is no `pannier-{engine}` beside this program; such jobs are carried elsewhere"),
            "install it, or leave it out of `inference.engines`",
        ),
    }
}

fn described(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn check(name: &str, verdict: Verdict, detail: String, hint: &str) -> Check {
    Check { name: name.to_owned(), verdict, detail, hint: hint.to_owned() }
}

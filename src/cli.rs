//! People's side on a terminal: what was typed becomes settings and one command. Most commands are requests
//! to the gateway of a running node; `init`, `run`, `key`, `bundle`, `completions`, `man` and half of
//! `doctor` need none.

mod args;
mod bundle;
mod client;
mod doctor;
mod examples;
mod exit;
mod failure;
mod fetch;
mod init;
mod invitation;
mod jobs;
mod journey;
mod key;
mod model;
mod peer;
mod printer;
mod qr;
mod query;
mod recv;
mod run;
mod selftest;
mod send;
mod status;
mod submit;
mod tools;
mod trigger;
mod waiting;
mod watch;

use std::{ffi::OsString, process::ExitCode};

pub use self::tools::generated;
use anstream::ColorChoice;

use clap::{CommandFactory, FromArgMatches, error::ErrorKind};

pub use self::exit::Exit;
use self::{
    args::{Arguments, Color, Command, Global},
    client::{Address, Client},
    failure::Failure,
    printer::{Manner, Printer},
};
use crate::settings::{self, Loaded, Overrides, Paths, env::Environment};

/// Commands by what they are for: the heading and the names, as the help shows them.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Submit and fetch", &["submit", "fetch", "list", "status", "watch", "cancel"]),
    ("Send and receive", &["send", "recv", "query", "trigger"]),
    ("Carry", &["peer", "join", "spool", "ping"]),
    ("Models", &["model"]),
    ("Node", &["init", "run", "doctor", "selftest"]),
    ("Tools", &["key", "bundle", "completions", "man"]),
];

/// The tree of commands, for whatever is generated from it.
#[must_use]
pub fn command() -> clap::Command {
    let command = Arguments::command();
    let short: Vec<String> =
        GROUPS.iter().map(|(heading, names)| format!("  {heading:<18}{}", names.join(", "))).collect();
    let long: Vec<String> = GROUPS
        .iter()
        .map(|(heading, names)| {
            let lines = names.iter().map(|name| {
                let about = command.find_subcommand(name).and_then(|command| command.get_about());
                format!("  {name:<14}{}\n", about.map(ToString::to_string).unwrap_or_default())
            });
            format!("{heading}:\n{}", lines.collect::<String>())
        })
        .collect();
    command
        .before_help(format!(
            "Commands:\n{}\n\n`pannier COMMAND --help` ends with examples.",
            short.join("\n")
        ))
        .before_long_help(long.join("\n"))
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{before-help}{options}")
        .mut_subcommands(|command| command.disable_help_subcommand(true))
}

/// Understands what was typed and does it.
#[must_use]
pub fn run(typed: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let typed: Vec<OsString> = typed.into_iter().collect();
    let exit =
        match command().try_get_matches_from(&typed).and_then(|found| Arguments::from_arg_matches(&found)) {
            Ok(arguments) => perform(arguments, environment),
            Err(error) => misunderstood(&error, typed.iter().any(|word| word == "--json")),
        };
    ExitCode::from(exit.code())
}

/// Help and version are data; anything else is an error of who typed.
fn misunderstood(error: &clap::Error, json: bool) -> Exit {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let manner = Manner { json, quiet: 0, verbose: 0, color: ColorChoice::Auto, progress: false };
    let printer = Printer::new(manner);
    let rendered = error.render().to_string();
    // Where nothing can be printed, the exit code still tells.
    let _ = match (asked, json) {
        (true, _) => printer.bytes(rendered.as_bytes()),
        (false, true) => {
            let what = rendered.lines().next().unwrap_or("").trim_start_matches("error: ").to_owned();
            printer.failure(&Failure::usage(what).hint("pannier --help"))
        }
        (false, false) => printer.talk(rendered.trim_end()),
    };
    if asked { Exit::Done } else { Exit::Usage }
}

/// What every command may use.
struct Context {
    printer: Printer,
    environment: Environment,
    global: Global,
}

impl Context {
    fn loaded(&self) -> Result<Loaded, Failure> {
        let overrides = Overrides { config: self.global.config.clone(), set: self.global.set.clone() };
        let loaded = settings::load(&self.environment, &overrides)?;
        Ok(loaded)
    }

    fn paths(&self) -> Result<Paths, Failure> {
        let paths = Paths::resolve(&self.environment, self.global.config.as_deref())?;
        Ok(paths)
    }

    /// The node that was named, or the one whose socket lies where this environment says.
    fn client(&self) -> Result<Client, Failure> {
        if let Some(node) = self.global.node.as_ref().or(self.environment.node.as_ref()) {
            return Ok(Client { address: Address::read(node)?, identity: None });
        }
        let paths = self.paths()?;
        Ok(Client { identity: Some(paths.identity()), address: Address::Unix(paths.socket) })
    }

    /// The id that was typed; `@last` is the job that was submitted last.
    fn id(&self, typed: &str) -> Result<String, Failure> {
        if typed != "@last" {
            return Ok(typed.to_owned());
        }
        let path = self.paths()?.last();
        let read = std::fs::read_to_string(&path).map_err(|error| {
            let identity = self.client().ok().and_then(|client| client.identity);
            if identity.is_some_and(|identity| !identity.exists()) {
                return Failure::new(Exit::NotInitialised, "there is no node here yet").hint("pannier init");
            }
            Failure::new(Exit::NotFound, "nothing was submitted from here")
                .cause(format!("`{}`: {error}", path.display()))
                .hint("pannier list")
        });
        Ok(read?.trim().to_owned())
    }
}

fn perform(arguments: Arguments, environment: Environment) -> Exit {
    let mut global = arguments.global;
    if let Some(address) = arguments.command.address() {
        global.node = Some(address);
    }
    let color = match global.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    let progress = !global.no_progress && !environment.no_progress;
    let printer = Printer::new(Manner {
        json: global.json,
        quiet: global.quiet,
        verbose: global.verbose,
        color,
        progress,
    });
    let context = Context { printer, environment, global };
    let outcome =
        match (&arguments.command, tokio::runtime::Builder::new_current_thread().enable_all().build()) {
            (Command::Run { ready_file }, _) => run::run(&context, ready_file.clone()),
            (_, Err(error)) => Err(Failure::io("this process cannot start", &error)),
            (_, Ok(runtime)) => runtime.block_on(async {
                tokio::select! {
                    biased;
                    outcome = dispatch(&context, arguments.command) => outcome,
                    _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted")),
                }
            }),
        };
    match outcome {
        Ok(exit) => exit,
        Err(failure) if failure.is_broken_pipe() => Exit::Done,
        Err(failure) => {
            // Where nothing can be printed, the exit code still tells.
            let _ = context.printer.failure(&failure);
            failure.exit
        }
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Submit(args) => submit::submit(context, args).await,
        Command::Fetch(args) => fetch::fetch(context, args).await,
        Command::List(args) => jobs::list(context, args).await,
        Command::Status { id: None } => status::node(context).await,
        Command::Status { id: Some(id) } => status::job(context, &id).await,
        Command::Watch { id } => watch::watch(context, id.as_deref()).await,
        Command::Cancel { id } => jobs::cancel(context, &id).await,
        Command::Send(args) => send::send(context, args).await,
        Command::Recv(args) => recv::recv(context, args).await,
        Command::Query(args) => query::query(context, args.what).await,
        Command::Trigger(args) => trigger::trigger(context, args).await,
        Command::Peer(peer) => peer::peer(context, peer).await,
        Command::Join { uri, dry_run } => invitation::join(context, &uri, dry_run).await,
        Command::Spool(spool) => peer::spool(context, spool).await,
        Command::Ping { to, wait } => peer::ping(context, &to, wait).await,
        Command::Model(model) => model::model(context, model).await,
        Command::Init { eid } => init::init(context, eid.as_deref()),
        Command::Run { ready_file } => run::run(context, ready_file),
        Command::Doctor { quick } => doctor::doctor(context, quick).await,
        Command::Selftest { wait } => selftest::selftest(context, wait).await,
        Command::Key(command) => key::key(context, command),
        Command::Bundle(bundle) => bundle::bundle(context, bundle),
        Command::Completions { shell } => tools::completions(context, shell),
        Command::Man { dir } => tools::man(context, dir.as_deref()),
    }
}

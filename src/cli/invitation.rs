//! `pannier peer invite` and `pannier join`: one line of text brings two nodes together.

use std::path::Path;

use hyper::Method;

use super::{Context, Exit, Failure, args::Invite, fetch, printer::Printer, qr::Code, submit};
use crate::{
    gateway::wire::{InvitationRequest, InvitationWire, JoinRequest, JoinedWire},
    settings::quantity::show_duration,
};

/// Widest QR code that is shown without having been asked for, in columns of a terminal.
const COLUMNS_MAX: usize = 80;

/// Prints an invitation of the node: on a terminal as a QR code, too.
pub(super) async fn invite(context: &Context, args: Invite) -> Result<Exit, Failure> {
    let request = InvitationRequest { name: args.name, lifetime: args.lifetime.map(show_duration) };
    let made: InvitationWire = context.client()?.json(Method::POST, "/api/invitations", &request).await?;
    let code = Code::of(&made.uri);
    let printer = &context.printer;
    if let Some(file) = &args.png {
        write(file, code.as_ref())?;
    }
    printer.data(&made.uri)?;
    if args.qr || printer.is_watched() {
        draw(printer, code.as_ref(), args.qr)?;
    }
    warn(printer, &made)?;
    let end = made.expires_at.as_ref().map_or_else(|| "for ever".to_owned(), |at| format!("until {at}"));
    printer.talk(&format!("`pannier join` on another node follows it, {end}"))?;
    if let Some(file) = &args.png {
        printer.talk(&format!("`{}` shows it as a QR code", file.display()))?;
    }
    printer.line("result", &made)?;
    Ok(Exit::Done)
}

fn write(file: &Path, code: Option<&Code>) -> Result<(), Failure> {
    let png = code.ok_or_else(too_long)?.png();
    fetch::replace(file, &png)
        .map_err(|error| Failure::io(format!("`{}` cannot be written", file.display()), &error))
}

fn draw(printer: &Printer, code: Option<&Code>, is_asked: bool) -> Result<(), Failure> {
    let Some(code) = code else {
        return if is_asked { Err(too_long()) } else { Ok(()) };
    };
    if code.columns() > COLUMNS_MAX && !is_asked {
        let columns = code.columns();
        printer.talk(&format!(
            "its QR code is {columns} columns wide: `--qr` shows it, `--png FILE` keeps it"
        ))?;
        return Ok(());
    }
    code.lines().iter().try_for_each(|line| printer.data(line))?;
    Ok(())
}

fn too_long() -> Failure {
    Failure::new(Exit::Failed, "the invitation is too long for a QR code")
        .hint("let fewer links listen, or pass the line of text on")
}

/// Shows whom an invitation is from and joins them.
pub(super) async fn join(context: &Context, uri: &str, dry_run: bool) -> Result<Exit, Failure> {
    let invitation = match uri {
        "-" => String::from_utf8_lossy(&submit::input(Path::new("-"))?).into_owned(),
        typed => typed.to_owned(),
    };
    let request = JoinRequest { invitation, dry_run };
    let joined: JoinedWire = context.client()?.json(Method::POST, "/api/join", &request).await?;
    let printer = &context.printer;
    describe(printer, &joined.invitation)?;
    warn(printer, &joined.invitation)?;
    printer.talk(match joined.joined {
        true => "joined: it is dialled from now on, whenever it can be reached",
        false => "nothing was changed; without `--dry-run` it is joined",
    })?;
    printer.line("result", &joined)?;
    Ok(Exit::Done)
}

fn describe(printer: &Printer, invitation: &InvitationWire) -> Result<(), Failure> {
    let name = invitation.name.as_ref().map_or_else(String::new, |name| format!("  ({name})"));
    printer.data(&format!("node     {}{name}", invitation.node))?;
    printer.data(&format!("key      {}", invitation.peer_id))?;
    for address in &invitation.addresses {
        printer.data(&format!("address  {address}"))?;
    }
    for whom in &invitation.seals_for {
        printer.data(&format!("seals    for {}", if whom == "node" { "the node" } else { whom }))?;
    }
    let end = invitation.expires_at.as_deref().unwrap_or("never");
    printer.data(&format!("expires  {end}"))?;
    Ok(())
}

fn warn(printer: &Printer, invitation: &InvitationWire) -> Result<(), Failure> {
    for finding in &invitation.findings {
        printer.talk(&format!("warning: {finding}"))?;
    }
    Ok(())
}

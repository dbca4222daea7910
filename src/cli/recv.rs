//! `pannier recv`: what waits at an endpoint, to stdout or into files. What was read is taken; what could not
//! be written stays where it is.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    Context, Exit, Failure,
    args::{Patience, Recv},
    client::escaped,
    waiting::{HOLD, Reader},
};
use crate::{
    gateway::wire::{BundleWire, WaitingWire},
    settings::quantity::show_size,
};

/// Bundles that are looked at together, where all are wanted.
const LISTED: usize = 1_000;
/// Longest payload that is put into a JSON line, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Receives.
pub(super) async fn recv(context: &Context, args: Recv) -> Result<Exit, Failure> {
    if args.hex && context.printer.is_json() {
        return Err(
            Failure::usage("`--hex` and `--json` are two ways of printing").hint("leave one of them out")
        );
    }
    let client = context.client()?;
    if let Some(bundle) = &args.bid {
        let found: BundleWire = client.get(&format!("/api/bundles/{}", escaped(bundle))).await?;
        let receiver = Receiver { context, reader: Reader::new(client), args: &args };
        receiver.deliver(&found, false).await?;
        context.printer.line("result", json!({ "bundles": 1 }))?;
        return Ok(Exit::Done);
    }
    let reader = Reader::new(client);
    if let Some(bundle) = &args.delete {
        if !reader.take(bundle).await? {
            return Err(Failure::new(Exit::NotFound, format!("no bundle `{bundle}` is here"))
                .hint("pannier query bundles"));
        }
        context.printer.talk(&format!("taken {bundle}"))?;
        context.printer.line("result", json!({ "id": bundle }))?;
        return Ok(Exit::Done);
    }
    let endpoint = args.endpoint.clone().expect("one of three is required");
    if args.unregister {
        let gone = reader.unregister(&endpoint).await?;
        context.printer.talk(&format!("no longer registered in `{endpoint}`"))?;
        context.printer.line("result", gone)?;
        return Ok(Exit::Done);
    }
    let registered = reader.register(&endpoint).await?;
    if args.register {
        context.printer.talk(&format!("registered in `{endpoint}`"))?;
        context.printer.line("result", registered)?;
        return Ok(Exit::Done);
    }
    Receiver { context, reader, args: &args }.receive(&endpoint).await
}

struct Receiver<'a> {
    context: &'a Context,
    reader: Reader,
    args: &'a Recv,
}

impl Receiver<'_> {
    /// Takes the first bundle that waits, or all of them into a folder.
    async fn receive(&self, endpoint: &str) -> Result<Exit, Failure> {
        let mut patience = match self.args.wait {
            None => Some(Duration::ZERO),
            Some(Patience::Until(wait)) => Some(wait),
            Some(Patience::Endless) => None,
        };
        let mut count = 0;
        loop {
            let waiting = self.reader.waiting(endpoint, patience, self.max()).await?;
            if waiting.is_empty() {
                break;
            }
            for WaitingWire { bundle, .. } in waiting {
                if !self.args.keep && !self.reader.claim(&bundle.id, HOLD).await? {
                    continue;
                }
                if let Err(failure) = self.deliver(&bundle, !self.args.keep).await {
                    // Another reader may be able to; without an answer the claim ends by itself.
                    let _ = self.reader.claim(&bundle.id, Duration::ZERO).await;
                    return Err(failure);
                }
                count += 1;
                if !self.is_folder() {
                    return self.received(count);
                }
            }
            if self.args.keep {
                break;
            }
            if count > 0 {
                patience = Some(Duration::ZERO);
            }
        }
        if count == 0 {
            return Err(Failure::new(Exit::NotYet, format!("nothing waits at `{endpoint}`"))
                .hint(format!("pannier recv --wait -e {endpoint}")));
        }
        self.received(count)
    }

    fn received(&self, count: u64) -> Result<Exit, Failure> {
        self.context.printer.line("result", json!({ "bundles": count }))?;
        Ok(Exit::Done)
    }

    /// How many are listed at a time.
    fn max(&self) -> usize {
        if self.is_folder() { LISTED } else { 1 }
    }

    fn is_folder(&self) -> bool {
        self.args
            .output
            .as_ref()
            .is_some_and(|path| path.is_dir() || path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR))
    }

    /// Writes one bundle where it shall go; then it is taken.
    async fn deliver(&self, bundle: &BundleWire, takes: bool) -> Result<(), Failure> {
        let printer = &self.context.printer;
        let mut line = json!({
            "id": bundle.id, "source": bundle.source, "destination": bundle.destination, "len": bundle.len,
        });
        match &self.args.output {
            Some(path) => {
                let path = if self.is_folder() { unused(path, &bundle.id)? } else { path.clone() };
                self.write_file(bundle, &path, takes).await?;
                printer.data(&path.display().to_string())?;
                line["file"] = json!(path);
            }
            None if printer.is_json() => self.fill_line(bundle, &mut line, takes).await?,
            None => {
                let hex = self.args.hex;
                let each = async |piece: &hyper::body::Bytes| {
                    match hex {
                        true => printer.bytes(digits(piece).as_bytes())?,
                        false => printer.bytes(piece)?,
                    }
                    Ok(())
                };
                self.reader.read(&bundle.id, self.args.raw, takes, each).await?;
                if hex {
                    printer.data("")?;
                }
            }
        }
        if printer.is_verbose() {
            let size = show_size(bundle.len);
            printer.talk(&format!("{} from {}, {size}", bundle.id, printer.node(&bundle.source)))?;
        }
        printer.line("bundle", line)?;
        if takes && !self.reader.take(&bundle.id).await? {
            printer.talk(&format!("warning: `{}` was taken by somebody else meanwhile", bundle.id))?;
        }
        Ok(())
    }

    async fn fill_line(&self, bundle: &BundleWire, line: &mut Value, takes: bool) -> Result<(), Failure> {
        if bundle.len > LINE_BYTES_MAX {
            let detail = format!("`{}` has {}, too much for a line", bundle.id, show_size(bundle.len));
            return Err(Failure::new(Exit::Failed, detail).hint("add `-o FILE`"));
        }
        let mut bytes = Vec::new();
        let each = async |piece: &hyper::body::Bytes| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        self.reader.read(&bundle.id, self.args.raw, takes, each).await?;
        match String::from_utf8(bytes) {
            Ok(text) => line["text"] = text.into(),
            Err(binary) => line["base64"] = BASE64_STANDARD.encode(binary.as_bytes()).into(),
        }
        Ok(())
    }

    /// The file is there whole and on the disk, or not at all.
    async fn write_file(&self, bundle: &BundleWire, path: &Path, takes: bool) -> Result<(), Failure> {
        let unwritable =
            |error: io::Error| Failure::io(format!("`{}` cannot be written", path.display()), &error);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(unwritable)?;
        let draft = folder.join(format!(".pannier-{:016x}", rand::random::<u64>()));
        let mut file = File::create_new(&draft).map_err(unwritable)?;
        let bar = self.context.printer.bar(bundle.len, "receiving");
        let each = async |piece: &hyper::body::Bytes| {
            bar.inc(u64::try_from(piece.len()).unwrap_or(0));
            file.write_all(piece).map_err(unwritable)
        };
        let read = self.reader.read(&bundle.id, self.args.raw, takes, each).await;
        bar.finish_and_clear();
        let kept = read.and_then(|_| {
            file.sync_all().and_then(|()| fs::rename(&draft, path)).map_err(unwritable)?;
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)
        });
        if kept.is_err() {
            // The error that matters is the one above.
            let _ = fs::remove_file(&draft);
        }
        kept
    }
}

/// A path in the folder that is named after a bundle and that nothing has yet.
fn unused(folder: &Path, id: &str) -> Result<PathBuf, Failure> {
    let plain = |byte: char| byte.is_ascii_alphanumeric() || matches!(byte, '.' | '-' | '@');
    let name: String = id.chars().map(|byte| if plain(byte) { byte } else { '_' }).collect();
    let names = (0..u32::MAX).map(|count| match count {
        0 => folder.join(&name),
        count => folder.join(format!("{name}.{count}")),
    });
    let mut free = names.filter(|path| !path.exists());
    free.next()
        .ok_or_else(|| Failure::new(Exit::Failed, format!("`{}` is full of `{name}`", folder.display())))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_bundle_and_never_outside_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let name = |id: &str| {
            let path = unused(folder.path(), id).unwrap();
            assert_eq!(path.parent(), Some(folder.path()));
            path.file_name().unwrap().to_string_lossy().into_owned()
        };
        assert_eq!(name("dtn://a/x@801.7"), "dtn___a_x@801.7");
        assert_eq!(name("dtn://a/../../x@801.7"), "dtn___a_.._.._x@801.7");
        fs::write(folder.path().join("ipn_9.1@801.7"), b"").unwrap();
        assert_eq!(name("ipn:9.1@801.7"), "ipn_9.1@801.7.1");
    }
}

//! The only file that prints. stdout is data, stderr is talk; with `--json`, stdout is JSON lines that end
//! with one `result` or `error`.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;
use serde_json::{Map, Value};

use super::failure::Failure;

/// How many characters of a long node's name are shown at its beginning.
const NODE_HEAD: usize = 12;
/// And at its end.
const NODE_TAIL: usize = 3;
/// Version of the JSON lines.
const LINES_VERSION: u64 = 1;

/// How things are printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    json: bool,
    quiet: u8,
    verbose: u8,
    color: ColorChoice,
    progress: bool,
}

/// What the command line says about printing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// `--json`.
    pub(super) json: bool,
    /// How often `-q`.
    pub(super) quiet: u8,
    /// How often `-v`.
    pub(super) verbose: u8,
    /// `--color`.
    pub(super) color: ColorChoice,
    /// Whether progress may be shown.
    pub(super) progress: bool,
}

impl Printer {
    pub(super) fn new(manner: Manner) -> Self {
        let Manner { json, quiet, verbose, color, progress } = manner;
        let progress = progress && !json && quiet == 0 && verbose == 0 && io::stderr().is_terminal();
        Self { json, quiet, verbose, color, progress }
    }

    /// Whether programs read along.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether people see stdout at once.
    pub(super) fn is_watched(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// Whether stderr takes colour.
    pub(super) fn is_colourful(&self) -> bool {
        match self.color {
            ColorChoice::Always | ColorChoice::AlwaysAnsi => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => AutoStream::choice(&io::stderr()) != ColorChoice::Never,
        }
    }

    /// Whether more is wanted.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    /// A node's id as people read it: its beginning and its end; all of it with `-v`.
    pub(super) fn node(&self, eid: &str) -> String {
        if self.is_verbose() { eid.to_owned() } else { short_node(eid) }
    }

    /// A line of data for people. Programs get [`Self::line`].
    pub(super) fn data(&self, line: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let mut out = AutoStream::new(io::stdout(), self.color).lock();
        writeln!(out, "{line}")?;
        out.flush()?;
        Ok(())
    }

    /// Data as it is.
    pub(super) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        Ok(())
    }

    /// A line for programs. People get [`Self::data`].
    pub(super) fn line(&self, kind: &str, value: impl serde::Serialize) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        let mut line = Map::new();
        line.insert("type".to_owned(), kind.into());
        line.insert("version".to_owned(), LINES_VERSION.into());
        match serde_json::to_value(value).map_err(io::Error::other)? {
            Value::Object(fields) => line.extend(fields),
            Value::Null => {}
            other => {
                line.insert("value".to_owned(), other);
            }
        }
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        self.bytes(text.as_bytes())
    }

    /// Talk; silent with `-q`.
    pub(super) fn talk(&self, text: &str) -> io::Result<()> {
        if self.quiet > 0 || self.json {
            return Ok(());
        }
        writeln!(AutoStream::new(io::stderr(), self.color).lock(), "{text}")?;
        Ok(())
    }

    /// An error: on stderr for people, as the last line for programs. Silent with `-qq`.
    pub(super) fn failure(&self, failure: &Failure) -> io::Result<()> {
        if self.json {
            let mut words = vec![failure.what.clone()];
            words.extend(failure.causes.iter().cloned());
            let fields = serde_json::json!({
                "code": failure.code,
                "message": words.join(": "),
                "hint": failure.hint,
                "exit": failure.exit.code(),
                "id": failure.job,
            });
            return self.line("error", fields);
        }
        if self.quiet > 1 {
            return Ok(());
        }
        let mut err = AutoStream::new(io::stderr(), self.color).lock();
        writeln!(err, "{} {}", "error:".red().bold(), failure.what)?;
        for cause in &failure.causes {
            writeln!(err, "  {cause}")?;
        }
        if !failure.hint.is_empty() {
            writeln!(err, "\n{} {}", "hint:".cyan().bold(), failure.hint)?;
        }
        Ok(())
    }

    /// A bar for bytes that are moving; hidden where nobody watches.
    pub(super) fn bar(&self, len: u64, what: &str) -> ProgressBar {
        let target = if self.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {eta}");
        let style = style.expect("the template is well-formed");
        ProgressBar::with_draw_target(Some(len), target).with_style(style).with_message(what.to_owned())
    }
}

/// `dtn://k51qzi5uqu5d…0qe/` of a long `dtn` endpoint; anything else as it is.
pub(super) fn short_node(eid: &str) -> String {
    let Some((name, rest)) = eid.strip_prefix("dtn://").and_then(|rest| rest.split_once('/')) else {
        return eid.to_owned();
    };
    let count = name.chars().count();
    if count <= NODE_HEAD + NODE_TAIL + 1 {
        return eid.to_owned();
    }
    let head: String = name.chars().take(NODE_HEAD).collect();
    let tail: String = name.chars().skip(count - NODE_TAIL).collect();
    format!("dtn://{head}…{tail}/{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_node_is_shown_by_its_two_ends_and_a_short_one_whole() {
        let long = "dtn://k51qzi5uqu5dlhrtwpsnflzltsgqfy37tehm4vnns2pb2sk7sns9bco6dnajyb/";
        assert_eq!(short_node(long), "dtn://k51qzi5uqu5d…jyb/");
        assert_eq!(short_node(&format!("{long}inbox")), "dtn://k51qzi5uqu5d…jyb/inbox");
        for short in ["dtn://clinic/", "dtn://clinic-harbour/in", "ipn:9.1", "dtn:none", ""] {
            assert_eq!(short_node(short), short);
        }
    }
}

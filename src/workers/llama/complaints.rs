//! What llama.cpp says went wrong.
//!
//! Its functions only say that they failed; the reason is in its log. The last lines of it are kept here and
//! quoted in errors. They go to standard error as well, where the node finds them if the process dies of what
//! they announce.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use llama_cpp_2::{LogOptions, send_logs_to_tracing};
use pannier::inference::reason::quote;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

/// How many lines are kept.
const LINES_MAX: usize = 4;

/// The last lines that llama.cpp logged as errors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Complaints(Arc<Mutex<VecDeque<String>>>);

impl Complaints {
    /// Listens to llama.cpp from this moment on. Called once.
    pub(crate) fn listen() -> Self {
        let complaints = Self::default();
        let subscriber = Registry::default().with(complaints.clone());
        // Fails only if somebody listens already; then the reasons are missing from errors, and nothing else.
        let _ = tracing::subscriber::set_global_default(subscriber);
        send_logs_to_tracing(LogOptions::default());
        complaints
    }

    /// Takes what was said since the last time, as one line.
    pub(crate) fn take(&self) -> String {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = lines.make_contiguous().join("; ");
        lines.clear();
        if text.is_empty() { "no reason given".to_owned() } else { text }
    }
}

impl<S: Subscriber> Layer<S> for Complaints {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= Level::ERROR
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        let line = quote(&line.0);
        // Standard error may be gone with the node.
        let _ = writeln!(io::stderr(), "{line}");
        lines.push_back(line);
    }
}

/// The text of one event.
struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

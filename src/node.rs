//! The node: wires everything, drives the agent, executes its outputs. `Node::run` is the loop.

mod assembly;
mod assets;
pub mod clock;
mod executor;
mod foundation;
pub mod identity;
mod joining;
pub mod mailbox;
mod metrics;
mod ops;
mod peers;
mod reach;
mod readiness;
pub(crate) mod rehearsal;
mod resources;
mod roads;
pub mod sealing;
pub mod security;
mod start;
mod surroundings;
mod tasks;

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use self::start::{NodeError, run};
use self::{clock::Clock, executor::Executor, mailbox::Mail};
use crate::agent::{Agent, Input};

/// Inputs that are handled before their outputs are executed together: one synchronisation of the disk
/// serves all.
const GROUP_MAX: usize = 64;
/// How long records for which nobody waits wait for others to share a synchronisation with.
const LINGER: Duration = Duration::from_millis(2);

/// One node: an agent, the world's way in and the agent's way out.
struct Node {
    /// Decides.
    agent: Agent,
    /// Does what was decided.
    executor: Executor,
    /// Where everything comes in.
    mailbox: mpsc::Receiver<Mail>,
    /// Tells the time.
    clock: Arc<Clock>,
}

impl Node {
    /// Drives one agent until `stop`. See "The run loop contract" in ARCHITECTURE.
    async fn run(mut self, stop: CancellationToken) -> Result<(), NodeError> {
        let mut lingers_until = None;
        loop {
            // Steps 1 and 2: records become durable before anything behind them is executed. What nobody
            // waits for may wait for company, but not longer because more comes.
            self.drain();
            if self.executor.may_linger() {
                lingers_until.get_or_insert(self.clock.now() + LINGER);
            } else {
                self.executor.flush(&stop).await?;
                lingers_until = None;
            }

            // Step 3: exactly one thing.
            let wake = self.agent.next_deadline().map(|(time, _)| time);
            let mail = tokio::select! {
                biased;
                () = stop.cancelled() => return self.executor.flush(&stop).await,
                () = self.clock.sleep_until(wake) => Mail::Input(Input::Deadline),
                () = self.clock.sleep_until(lingers_until) => {
                    self.executor.flush(&stop).await?;
                    lingers_until = None;
                    continue;
                }
                Some(mail) = self.mailbox.recv() => mail,
            };

            // Step 4: one mutation, and those that wait already: they share the synchronisation of step 2.
            self.accept(mail)?;
            for _ in 1..GROUP_MAX {
                let Ok(mail) = self.mailbox.try_recv() else { break };
                self.drain();
                self.accept(mail)?;
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.agent.poll() {
            self.executor.push(output);
        }
    }

    fn accept(&mut self, mail: Mail) -> Result<(), NodeError> {
        let now = self.clock.now();
        match mail {
            Mail::Input(input) => self.agent.handle(now, input),
            Mail::Call { input, answer } => {
                let call = self.executor.open_call(answer);
                self.agent.handle(now, input(call));
            }
            Mail::Ask(question) => question(&self.agent, now),
            Mail::Link { link, commands } => self.executor.open_link(link, commands),
            Mail::Brought(brought) => {
                if let Some(mail) = brought.keep(&self.agent, self.executor.store(), now)? {
                    self.accept(mail)?;
                }
            }
        }
        Ok(())
    }
}

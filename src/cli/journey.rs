//! The journey of a job as people read it: what happened here, what its executor tells, and what is to come.
//!
//! `pannier status ID` prints it. It computes and prints nothing itself.

use super::{
    jobs::{short, span},
    printer::Printer,
    status::when,
};
use crate::gateway::wire::{JobWire, StepWire};

/// A line for every step that was and every one that is to come.
pub(super) fn journey(job: &JobWire, printer: &Printer) -> Vec<String> {
    let model = if job.model.is_empty() { String::new() } else { format!(" by {}", job.model) };
    let seal = match job.seal.as_str() {
        "group" => "  sealed for executors",
        "to" => "  sealed for named nodes",
        _ => "",
    };
    let mut lines = vec![format!("{}{model}  id {}  {}{seal}", job.kind, short(&job.id), job.state)];
    let is_open = matches!(job.state.as_str(), "waiting" | "carried" | "running");
    lines.extend(steps(job, is_open, printer).into_iter().map(|(_, line)| line));
    if is_open {
        if !job.waits_for.is_empty() && job.journey.last().is_none_or(|step| step.detail != job.waits_for) {
            lines.push(format!("  ● {:<10} {}", "waits for", job.waits_for));
        }
        if !job.journey.iter().any(|step| step.step == "started") {
            lines.push(String::from("  ○ run"));
        }
        lines.push(String::from("  ○ answer"));
        let until = job.expires_at.as_deref().map_or(String::new(), |at| format!(", until {at}"));
        lines.push(format!("lives {}{until}", span(job.expires_in_seconds)));
    }
    if let Some(result) = &job.result {
        let signature = if result.signature_valid { "signed" } else { "with a WRONG SIGNATURE" };
        let executor = printer.node(&result.executor);
        lines.push(format!("{} by {} on {executor}, {signature}", result.outcome, result.engine));
        lines.push(format!(
            "{} tokens read, {} written, {} ms of work, ended by {}",
            result.prompt_tokens, result.completion_tokens, result.run_ms, result.reason
        ));
        if !result.detail.is_empty() {
            lines.push(format!("reason: {}", result.detail));
        }
    }
    lines
}

/// What happened here, and in between, by time, what happened elsewhere. Each with its time, if it is known.
fn steps(job: &JobWire, is_open: bool, printer: &Printer) -> Vec<(Option<String>, String)> {
    let last = job.journey.len().saturating_sub(1);
    let here = job.journey.iter().enumerate();
    let mut steps: Vec<_> = here
        .map(|(index, step)| (step.moment.at.clone(), one(step, is_open && index == last, printer)))
        .collect();
    // Clocks differ; but nothing happens elsewhere before the job is accepted or after its answer is here.
    let is_end = |step: &StepWire| matches!(step.step.as_str(), "answered" | "failed");
    let mut end = job.journey.iter().rposition(is_end).unwrap_or(steps.len());
    let mut place = end.min(1);
    for (at, line) in elsewhere(job, printer) {
        while place < end && !is_before(at.as_ref(), steps[place].0.as_ref()) {
            place += 1;
        }
        steps.insert(place, (at, line));
        (place, end) = (place + 1, end + 1);
    }
    steps
}

/// Times in RFC 3339, all in UTC, are in order as texts are. What has no time goes as late as it may.
fn is_before(elsewhere: Option<&String>, here: Option<&String>) -> bool {
    matches!((elsewhere, here), (Some(elsewhere), Some(here)) if elsewhere < here)
}

/// What another node's signed statement tells.
fn elsewhere(job: &JobWire, printer: &Printer) -> Vec<(Option<String>, String)> {
    let (Some(executor), Some(result)) = (&job.executor, &job.result) else { return Vec::new() };
    if !executor.remote || !result.signature_valid {
        return Vec::new();
    }
    let node = printer.node(&executor.node);
    let step = |mark: char, name: &str, at: &Option<String>, detail: String| {
        let time = at.as_ref().map_or(String::new(), |at| format!("{at}  "));
        (at.clone(), format!("  {mark} {name:<10} {time}{detail}, as told by it"))
    };
    let by = if result.engine.is_empty() { String::new() } else { format!("by {} ", result.engine) };
    let loading = if executor.load_ms == 0 {
        String::new()
    } else {
        format!(" after {} ms of loading", executor.load_ms)
    };
    let run = format!("{by}at {node}, {} ms{loading}", executor.run_ms);
    let mark = if result.outcome == "completed" { '✔' } else { '✘' };
    vec![
        step('✔', "received", &executor.received_at, format!("at {node}")),
        step(mark, "run", &executor.started_at, run),
    ]
}

fn one(step: &StepWire, is_current: bool, printer: &Printer) -> String {
    let mark = match step.step.as_str() {
        "failed" | "expired" | "cancelled" => '✘',
        "waiting" | "started" if is_current => '●',
        _ => '✔',
    };
    let node = step.node.as_deref().map_or(String::new(), |node| printer.node(node));
    let words = [when(&step.moment), node, step.detail.clone()];
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    format!("  {mark} {:<10} {}", step.step, words.join("  "))
}

#[cfg(test)]
mod tests {
    use anstream::ColorChoice;

    use super::*;
    use crate::{
        cli::printer::Manner,
        gateway::wire::{ExecutorWire, Moment, ResultWire},
    };

    fn printer() -> Printer {
        let color = ColorChoice::Never;
        Printer::new(Manner { json: false, quiet: 0, verbose: 0, color, progress: false })
    }

    fn at(step: &str, minute: u32) -> StepWire {
        let moment = Moment { at: Some(format!("2026-11-20T12:{minute:02}:00Z")), seconds_ago: 60 };
        StepWire { step: step.to_owned(), moment, node: None, detail: String::new() }
    }

    fn told(received: Option<&str>, started: Option<&str>) -> Vec<String> {
        let node = String::from("dtn://k51qzi5uqu5dlhrtwpsnflzltsgqfy37tehm4vnns2pb2sk7sns9bco6dnajyb/");
        let job = JobWire {
            seal: "open".to_owned(),
            id: "bafyr4ihx2aaaaaaaaaaaa".to_owned(),
            state: "done".to_owned(),
            kind: "chat".to_owned(),
            model: "field".to_owned(),
            mine: true,
            expires_in_seconds: 0,
            expires_at: None,
            waits_for: String::new(),
            journey: vec![at("accepted", 1), at("forwarded", 2), at("forwarded", 5), at("answered", 9)],
            result: Some(ResultWire {
                cid: String::new(),
                outcome: "completed".to_owned(),
                reason: "stop".to_owned(),
                detail: String::new(),
                executor: node.clone(),
                signature_valid: true,
                engine: "llama".to_owned(),
                fingerprint: "llama 1".to_owned(),
                model: None,
                parameters: serde_json::Value::Null,
                prompt_tokens: 2,
                completion_tokens: 3,
                load_ms: 70,
                run_ms: 8,
                outputs: Vec::new(),
            }),
            executor: Some(ExecutorWire {
                node,
                remote: true,
                received_at: received.map(str::to_owned),
                started_at: started.map(str::to_owned),
                load_ms: 70,
                run_ms: 8,
            }),
        };
        journey(&job, &printer())
    }

    #[test]
    fn what_the_executor_tells_stands_between_what_happened_here() {
        let expected = [
            "chat by field  id bafyr4ihx2aaaaaa  done",
            "  ✔ accepted   2026-11-20T12:01:00Z (60 s ago)",
            "  ✔ forwarded  2026-11-20T12:02:00Z (60 s ago)",
            "  ✔ received   2026-11-20T12:04:00Z  at dtn://k51qzi5uqu5d…jyb/, as told by it",
            "  ✔ forwarded  2026-11-20T12:05:00Z (60 s ago)",
            "  ✔ run        2026-11-20T12:06:00Z  by llama at dtn://k51qzi5uqu5d…jyb/, 8 ms after 70 ms of \
             loading, as told by it",
            "  ✔ answered   2026-11-20T12:09:00Z (60 s ago)",
            "completed by llama on dtn://k51qzi5uqu5d…jyb/, signed",
            "2 tokens read, 3 written, 8 ms of work, ended by stop",
        ];
        assert_eq!(told(Some("2026-11-20T12:04:00Z"), Some("2026-11-20T12:06:00Z")), expected);
    }

    #[test]
    fn whatever_its_clock_says_a_job_is_run_after_it_was_accepted_and_before_its_answer_came() {
        let (early, late) = (Some("1999-01-01T00:00:00Z"), Some("2099-01-01T00:00:00Z"));
        for (received, started) in [(early, early), (late, early), (late, late), (None, None)] {
            let lines = told(received, started);
            let place = |step: &str| lines.iter().position(|line| line.contains(step)).unwrap();
            assert!(place("accepted") < place("received"), "{lines:?}");
            assert!(place("received") < place("run "), "{lines:?}");
            assert!(place("run ") < place("answered"), "{lines:?}");
        }
    }

    #[test]
    fn a_journey_shows_what_was_and_what_is_to_come() {
        let step = |step: &str, ago, node: Option<&str>, detail: &str| StepWire {
            step: step.to_owned(),
            moment: Moment { at: None, seconds_ago: ago },
            node: node.map(str::to_owned),
            detail: detail.to_owned(),
        };
        let job = JobWire {
            seal: "open".to_owned(),
            id: "bafyr4ihx2aaaaaaaaaaaa".to_owned(),
            state: "carried".to_owned(),
            kind: "chat".to_owned(),
            model: "field".to_owned(),
            mine: true,
            expires_in_seconds: 200_000,
            expires_at: None,
            waits_for: "a contact".to_owned(),
            journey: vec![
                step("accepted", 7300, None, ""),
                step("forwarded", 130, Some("dtn://bus/"), "over quic"),
            ],
            result: None,
            executor: None,
        };
        let expected = [
            "chat by field  id bafyr4ihx2aaaaaa  carried",
            "  ✔ accepted   2 h ago",
            "  ✔ forwarded  2 min ago  dtn://bus/  over quic",
            "  ● waits for  a contact",
            "  ○ run",
            "  ○ answer",
            "lives 2 d",
        ];
        assert_eq!(journey(&job, &printer()), expected);
    }
}

//! Language models answer, the same way every time.

use std::{fs, path::Path};

use bundle_spec::adu::{Failure, Kind, Value};
use pannier::inference::{
    Piece,
    supervisor::{TaskEnd, TaskModelFile},
};
use tokio_util::sync::CancellationToken;

use crate::stage::{
    BOOLEAN, TEXT, UNSIGNED, failure, finished, gguf_text, model, run, stories, supervisor,
    supervisor_within, task, text, with_entries, with_number,
};

const PROMPT: &str = "Once upon a time,";

#[tokio::test]
async fn the_stories_model_tells_its_story_piece_by_piece() {
    let Some(stories) = stories() else { return };
    let request = task(&model(&stories), Kind::Complete, PROMPT, &[("max_tokens", Value::Integer(60))]);
    let mut pieces = String::new();
    let told = |piece| {
        if let Piece::Text(text) = piece {
            pieces.push_str(&text);
        }
    };
    let report = supervisor(1).run(&request, told, &CancellationToken::new()).await;
    assert!(report.fingerprint.contains("batch 512/512"), "{}", report.fingerprint);
    let finished = finished(report);
    assert!(text(&finished).trim_start().starts_with("there was a little girl named Lily"), "{finished:?}");
    assert_eq!(pieces, text(&finished));
    assert_eq!(finished.finish, "length");
    assert_eq!(finished.usage.completion_tokens, 60);
    assert_eq!(finished.parameters["max_tokens"], Value::Integer(60));
    assert_eq!(finished.parameters["temperature"], Value::Float(0.0));
}

#[tokio::test]
async fn the_same_task_gives_the_same_answer_with_one_thread_or_two() {
    let Some(stories) = stories() else { return };
    let model = model(&stories);
    let chance = [
        ("temperature", Value::Float(0.8)),
        ("seed", Value::Integer(7)),
        ("repeat_penalty", Value::Float(1.1)),
        ("max_tokens", Value::Integer(60)),
    ];
    let (one, two) = (supervisor(1), supervisor(2));
    for parameters in [&chance[3..], &chance[..]] {
        let request = task(&model, Kind::Complete, PROMPT, parameters);
        let first = finished(run(&one, &request).await);
        assert_eq!(finished(run(&one, &request).await), first);
        assert_eq!(finished(run(&supervisor(1), &request).await), first);
        assert_eq!(finished(run(&two, &request).await), first);
    }
}

#[tokio::test]
async fn another_seed_gives_another_answer() {
    let Some(stories) = stories() else { return };
    let (model, supervisor) = (model(&stories), supervisor(1));
    let mut answers = Vec::new();
    for seed in [1, 2] {
        let parameters = [("temperature", Value::Float(1.0)), ("seed", Value::Integer(seed))];
        let answer = finished(run(&supervisor, &task(&model, Kind::Complete, PROMPT, &parameters)).await);
        answers.push(text(&answer).to_owned());
    }
    assert_ne!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_stop_text_ends_the_answer_and_is_not_part_of_it() {
    let Some(stories) = stories() else { return };
    let stop = [("stop", Value::Text("Lily".to_owned()))];
    let finished =
        finished(run(&supervisor(1), &task(&model(&stories), Kind::Complete, PROMPT, &stop)).await);
    assert_eq!(text(&finished).trim(), "there was a little girl named");
    assert_eq!(finished.finish, "stop");
}

#[tokio::test]
async fn a_prompt_longer_than_the_context_is_refused_with_the_numbers() {
    let Some(stories) = stories() else { return };
    let (model, supervisor) = (model(&stories), supervisor(1));
    let (kind, detail) =
        failure(&run(&supervisor, &task(&model, Kind::Complete, &"Lily ".repeat(3000), &[])).await);
    assert_eq!(kind, Failure::BadInput);
    assert!(detail.contains("tokens and the model has room for 512"), "{detail}");

    // Up to the last token that fits: the answer is cut off by the room that is left.
    let almost =
        task(&model, Kind::Complete, &"Lily ".repeat(160), &[("max_tokens", Value::Integer(60_000))]);
    let finished = finished(run(&supervisor, &almost).await);
    assert!(finished.usage.prompt_tokens > 160);
    if finished.finish == "length" {
        assert_eq!(finished.usage.prompt_tokens + finished.usage.completion_tokens, 512);
    }
}

#[tokio::test]
async fn a_prompt_is_read_in_as_many_batches_as_it_takes() {
    let Some(stories) = stories() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    fs::write(&file, with_number(&fs::read(stories).unwrap(), "llama.context_length", UNSIGNED, 2048))
        .unwrap();
    let request =
        task(&model(&file), Kind::Complete, &"Lily ".repeat(1200), &[("max_tokens", Value::Integer(3))]);
    let mut progress = Vec::new();
    let told = |piece| {
        if let Piece::Progress(thousandths) = piece {
            progress.push(thousandths);
        }
    };
    let report = supervisor(1).run(&request, told, &CancellationToken::new()).await;
    let prompt_tokens = finished(report).usage.prompt_tokens;
    assert!(prompt_tokens > 1024, "{prompt_tokens}");
    assert_eq!(u64::try_from(progress.len()).unwrap(), prompt_tokens.div_ceil(512));
    assert_eq!(progress.last(), Some(&1000));
}

#[tokio::test]
async fn a_model_that_makes_embeddings_writes_no_text() {
    let Some(stories) = stories() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    let entry = ("llama.attention.causal", BOOLEAN, vec![0]);
    fs::write(&file, with_entries(&fs::read(stories).unwrap(), &[entry])).unwrap();
    let (kind, detail) =
        failure(&run(&supervisor(1), &task(&model(&file), Kind::Complete, PROMPT, &[])).await);
    assert_eq!(kind, Failure::BadModel);
    assert!(detail.contains("makes embeddings and writes no text"), "{detail}");
}

#[tokio::test]
async fn a_model_without_a_chat_template_does_not_chat() {
    let Some(stories) = stories() else { return };
    let (kind, detail) =
        failure(&run(&supervisor(1), &task(&model(&stories), Kind::Chat, "hello", &[])).await);
    assert_eq!(kind, Failure::BadInput);
    assert_eq!(detail, "the model has no chat template; use the kind `complete`");
}

#[tokio::test]
async fn a_model_with_a_chat_template_answers_messages_and_plain_text_alike() {
    let Some(stories) = stories() else { return };
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}";
    let (_directory, model) = with_text(&stories, "tokenizer.chat_template", template);
    let supervisor = supervisor(1);
    let plain = task(&model, Kind::Chat, "Tell me of Lily", &[("max_tokens", Value::Integer(20))]);
    let mut messages = plain.clone();
    let json = br#"[{"role": "user", "content": "Tell me of Lily"}]"#;
    messages.input.inputs = vec![("application/json".to_owned(), json.to_vec())];
    let answer = finished(run(&supervisor, &plain).await);
    assert_eq!(answer, finished(run(&supervisor, &messages).await));
    assert!(answer.usage.completion_tokens > 0);

    // The template is around it: a completion of the same text reads fewer tokens.
    let bare = finished(run(&supervisor, &task(&model, Kind::Complete, "Tell me of Lily", &[])).await);
    assert!(answer.usage.prompt_tokens > bare.usage.prompt_tokens);
}

#[tokio::test]
async fn a_chat_template_that_nobody_knows_is_named_as_the_reason() {
    let Some(stories) = stories() else { return };
    let (_directory, model) = with_text(&stories, "tokenizer.chat_template", "{{ messages }} as you like");
    let (kind, detail) = failure(&run(&supervisor(1), &task(&model, Kind::Chat, "hello", &[])).await);
    assert_eq!(kind, Failure::BadModel);
    assert!(detail.contains("chat template"), "{detail}");
}

#[tokio::test]
async fn a_model_that_does_not_fit_the_memory_is_exhausted() {
    let Some(stories) = stories() else { return };
    let task = task(&model(&stories), Kind::Complete, PROMPT, &[("max_tokens", Value::Integer(5))]);
    let mut refused = 0;
    for mebibytes in [4, 6, 8, 10, 12, 14, 16, 20, 24, 32] {
        let report = run(&supervisor_within(1, mebibytes << 20), &task).await;
        if let TaskEnd::Completed(_) = report.end {
            continue;
        }
        let (kind, detail) = failure(&report);
        println!("{mebibytes} MiB: {detail}");
        assert_eq!(kind, Failure::Exhausted, "{mebibytes} MiB: {detail}");
        assert!(report.retryable);
        refused += 1;
    }
    assert!(refused > 2);
}

#[tokio::test]
async fn the_shipped_model_turns_reports_into_json() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/model");
    let file = folder.join("field-report.gguf");
    if !file.exists() {
        eprintln!("skipped: no tools/model/field-report.gguf");
        return;
    }
    let (model, supervisor) = (model(&file), supervisor(1));
    let held_out = fs::read_to_string(folder.join("held_out.jsonl")).unwrap();
    let (mut right, mut total) = (0, 0);
    for line in held_out.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let task = task(&model, Kind::Chat, line["report"].as_str().unwrap(), &[]);
        let answer = finished(run(&supervisor, &task).await);
        let json = serde_json::from_str::<serde_json::Value>(text(&answer)).ok();
        right += usize::from(json.as_ref() == Some(&line["answer"]));
        total += 1;
    }
    println!("{right} of {total} held-out reports exactly right");
    assert!(right * 100 >= total * 98, "{right} of {total}");
}

#[tokio::test]
async fn what_the_engine_cannot_do_is_said() {
    let Some(stories) = stories() else { return };
    let (model, supervisor) = (model(&stories), supervisor(1));
    let unknown = task(&model, Kind::Complete, PROMPT, &[("temprature", Value::Float(1.0))]);
    let (kind, detail) = failure(&run(&supervisor, &unknown).await);
    assert_eq!(kind, Failure::BadInput);
    assert!(detail.contains("unknown parameter `temprature`; known are max_tokens, temperature"), "{detail}");

    let (kind, detail) = failure(&run(&supervisor, &task(&model, Kind::Speak, PROMPT, &[])).await);
    assert_eq!(kind, Failure::BadInput);
    assert!(detail.contains("`llama` cannot do this kind"), "{detail}");

    let mut without = task(&model, Kind::Complete, PROMPT, &[]);
    without.model = None;
    assert!(failure(&run(&supervisor, &without).await).1.contains("needs a model"));
}

#[tokio::test]
async fn an_answer_that_nobody_wants_any_more_is_stopped_and_the_worker_kept() {
    let Some(stories) = stories() else { return };
    let (model, supervisor) = (model(&stories), supervisor(1));
    let cancel = CancellationToken::new();
    let endless = task(&model, Kind::Complete, PROMPT, &[("max_tokens", Value::Integer(60_000))]);
    let report = supervisor.run(&endless, |_| cancel.cancel(), &cancel).await;
    assert_eq!(report.end, TaskEnd::Stopped);
    let next =
        run(&supervisor, &task(&model, Kind::Complete, PROMPT, &[("max_tokens", Value::Integer(5))])).await;
    assert_eq!(finished(next).usage.completion_tokens, 5);
}

/// A copy of a model with one more text in its header.
fn with_text(file: &Path, key: &str, value: &str) -> (tempfile::TempDir, TaskModelFile) {
    let bytes = with_entries(&fs::read(file).unwrap(), &[(key, TEXT, gguf_text(value))]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    fs::write(&file, bytes).unwrap();
    let model = model(&file);
    (directory, model)
}

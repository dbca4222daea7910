//! Whatever a model file is, the task ends with a reason and the next one is done.

use std::{fs, path::PathBuf};

use bundle_spec::adu::{Failure, Kind, Value};
use pannier::inference::supervisor::Supervisor;

use crate::stage::{
    FLOAT, UNSIGNED, failure, finished, model, position, run, stories, supervisor, task, with_entries,
    with_number,
};

#[tokio::test]
async fn what_is_no_model_is_refused_with_the_reason() {
    let supervisor = supervisor(1);
    let noise: Vec<u8> =
        (0..100_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, bytes) in [("empty", Vec::new()), ("noise", noise), ("text", b"once upon a time".to_vec())] {
        let (kind, detail) = refused(&supervisor, name, &bytes).await;
        assert_eq!(kind, Failure::BadModel, "{name}: {detail}");
        assert!(!detail.contains("no reason given"), "{name}: {detail}");
    }
}

#[tokio::test]
async fn a_header_that_promises_the_world_is_refused() {
    let supervisor = supervisor(1);
    for (tensors, keys) in [(u64::MAX, 0), (0, u64::MAX), (i64::MAX.cast_unsigned(), 1), (1 << 32, 1 << 32)] {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend_from_slice(&tensors.to_le_bytes());
        bytes.extend_from_slice(&keys.to_le_bytes());
        let (_, detail) = refused(&supervisor, "promises", &bytes).await;
        assert!(!detail.is_empty());
    }
}

#[tokio::test]
async fn a_model_that_was_cut_off_is_refused() {
    let Some(stories) = stories() else { return };
    let whole = fs::read(stories).unwrap();
    let supervisor = supervisor(1);
    for length in [4, 24, 1000, 20_000, whole.len() / 2, whole.len() - 1] {
        let (kind, detail) = refused(&supervisor, &format!("cut at {length}"), &whole[..length]).await;
        assert_eq!(kind, Failure::BadModel, "{length}: {detail}");
    }
}

#[tokio::test]
async fn a_model_that_kills_its_engine_ends_with_a_reason_and_the_next_one_works() {
    let Some(stories) = stories() else { return };
    let whole = fs::read(&stories).unwrap();
    let supervisor = supervisor(1);
    // llama.cpp asserts that there are at most a few hundred.
    let hostile =
        with_entries(&whole, &[("llama.expert_count", UNSIGNED, 1_000_000_u32.to_le_bytes().to_vec())]);
    let (kind, detail) = refused(&supervisor, "experts", &hostile).await;
    assert_eq!(kind, Failure::Crashed, "{detail}");
    assert!(detail.contains("died by signal 6 (SIGABRT)"), "{detail}");
    let (kind, detail) = refused(&supervisor, "experts again", &hostile).await;
    assert_eq!(kind, Failure::Crashed, "{detail}");
    assert!(detail.contains("is refused here"), "{detail}");

    for length in [0, 1 << 31, u32::MAX] {
        let hostile = with_number(&whole, "llama.context_length", UNSIGNED, length);
        let (kind, detail) = refused(&supervisor, &format!("context {length}"), &hostile).await;
        assert_eq!(kind, Failure::BadModel, "{detail}");
    }
    for epsilon in [f32::NAN, -1.0] {
        let key = "llama.attention.layer_norm_rms_epsilon";
        let hostile = with_number(&whole, key, FLOAT, epsilon.to_bits());
        let (kind, detail) = refused(&supervisor, &format!("epsilon {epsilon}"), &hostile).await;
        assert_eq!(kind, Failure::BadModel, "{detail}");
    }
    for layers in [0, 513, 1 << 31] {
        let hostile = with_number(&whole, "llama.block_count", UNSIGNED, layers);
        let (kind, detail) = refused(&supervisor, &format!("{layers} layers"), &hostile).await;
        assert_eq!(kind, Failure::BadModel, "{detail}");
    }
    for key in ["llama.embedding_length", "llama.attention.head_count", "llama.feed_forward_length"] {
        for number in [0, 1 << 31] {
            let hostile = with_number(&whole, key, UNSIGNED, number);
            let (_, detail) = refused(&supervisor, &format!("{key} {number}"), &hostile).await;
            assert!(!detail.is_empty());
        }
    }
    let request = task(&model(&stories), Kind::Complete, "Once", &[("max_tokens", Value::Integer(5))]);
    assert_eq!(finished(run(&supervisor, &request).await).usage.completion_tokens, 5);
}

#[tokio::test]
async fn tensors_of_absurd_sizes_are_refused() {
    let Some(stories) = stories() else { return };
    let mut hostile = fs::read(stories).unwrap();
    let name = position(&hostile, b"token_embd.weight").unwrap() + b"token_embd.weight".len();
    // Two dimensions follow the count of them.
    hostile[name + 4..name + 12].copy_from_slice(&(1_u64 << 61).to_le_bytes());
    let (kind, detail) = refused(&supervisor(1), "absurd", &hostile).await;
    assert_eq!(kind, Failure::BadModel, "{detail}");
}

/// Runs a task on these bytes as a model; it must fail.
async fn refused(supervisor: &Supervisor, name: &str, bytes: &[u8]) -> (Failure, String) {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("model.gguf");
    fs::write(&path, bytes).unwrap();
    let request = task(&model(&path), Kind::Complete, "Once", &[("max_tokens", Value::Integer(5))]);
    let failure = failure(&run(supervisor, &request).await);
    println!("{name}: {failure:?}");
    failure
}

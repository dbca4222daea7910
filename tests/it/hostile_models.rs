//! Files that are no models: refused with the reason, and the node goes on as if nothing had been.

use std::fs;

use crate::{
    sandbox::Node,
    shell::{last_line, stderr},
};

/// A small model of one tensor with these dimensions and so many bytes of data.
fn model(dimensions: &[u64], data: usize) -> Vec<u8> {
    let text = |text: &str| [&u64::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat();
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(text("general.architecture"));
    bytes.extend(8_u32.to_le_bytes());
    bytes.extend(text("llama"));
    bytes.extend(text("token_embd.weight"));
    bytes.extend(u32::try_from(dimensions.len()).unwrap().to_le_bytes());
    dimensions.iter().for_each(|dimension| bytes.extend(dimension.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32) + data, 0x5a);
    bytes
}

#[test]
fn a_file_that_is_no_model_is_refused_with_the_reason_and_takes_no_room() {
    let node = Node::start();
    let sound = model(&[16, 64], 4096);
    let noise: Vec<u8> =
        (0..300_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut tensors = sound.clone();
    tensors[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut old = sound.clone();
    old[4] = 1;
    let files = [
        ("empty", Vec::new(), "the file is empty"),
        ("noise", noise, "does not begin with `GGUF`"),
        ("magic", b"GGUF".to_vec(), "truncated"),
        ("cut-in-the-header", sound[..60].to_vec(), "truncated"),
        ("cut-in-the-data", sound[..sound.len() - 1].to_vec(), "truncated: the file has"),
        ("absurd-sizes", model(&[1 << 62, 1 << 62], 4096), "tensor `token_embd.weight` has an absurd size"),
        ("huge", model(&[1 << 40], 4096), "truncated"),
        ("zero", model(&[16, 0], 4096), "dimension of zero"),
        ("tensors", tensors, "the number of tensors is 18446744073709551615"),
        ("old", old, "version 1 of GGUF"),
    ];
    let before = node.told(&["status"])["store_live"].clone();
    for (name, bytes, reason) in &files {
        fs::write(node.home.path().join(name), bytes).unwrap();
        let refused = node.home.pannier(&["model", "add", name], b"");
        assert_eq!(refused.status.code(), Some(1), "{name}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(reason), "{name}: {}", stderr(&refused));
    }
    let status = node.told(&["status"]);
    assert_eq!(status["store_live"], before, "nothing of them is kept");
    assert_eq!(node.told(&["model", "list"])["models"], 0);
    let incoming = fs::read_dir(node.home.path().join("data/incoming")).unwrap().count();
    assert_eq!(incoming, 0, "nothing is left on the way in");
    assert_eq!(node.command(&["fetch", &node.echo(&["--wait=1m"], "still there")]), "still there");
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

#[test]
fn a_sound_model_is_taken_shown_and_dropped() {
    let node = Node::start();
    fs::write(node.home.path().join("tiny.gguf"), model(&[16, 64], 4096)).unwrap();
    let added = node.told(&["model", "add", "tiny.gguf"]);
    assert_eq!((added["name"].as_str(), added["held"].as_str()), (Some("tiny"), Some("here")));
    assert_eq!(added["known"], 0);
    assert_eq!(node.told(&["model", "show", "tiny"])["hints"]["architecture"], "llama");
    let digits = added["hints"]["sha256"].as_str().unwrap().to_owned();
    let alias = format!("sha256:{digits}");
    for text in [alias.clone(), format!("sha256:{}", digits.to_uppercase())] {
        assert_eq!(node.told(&["model", "show", &text])["name"], "tiny");
    }
    assert_eq!(node.home.exit(&["model", "show", &format!("sha256:{}", "0".repeat(64))]), 5);
    assert_eq!(node.home.exit(&["model", "add", "tiny.gguf", "--name", &alias]), 1);
    let again = node.told(&["model", "add", "tiny.gguf", "--name", "other"]);
    assert_eq!(again["manifest"], added["manifest"], "the same file is the same model");
    assert_eq!(again["known"], again["size"], "nothing of it is new");
    node.command(&["model", "drop", "tiny"]);
    assert_eq!(node.home.exit(&["model", "show", "tiny"]), 5);
    assert_eq!(node.told(&["model", "show", "other"])["manifest"], added["manifest"]);
}

#[test]
fn a_job_finds_its_model_by_the_hash_of_the_file() {
    let node = Node::start();
    fs::write(node.home.path().join("tiny.gguf"), model(&[16, 64], 4096)).unwrap();
    let added = node.told(&["model", "add", "tiny.gguf"]);
    let alias = format!("sha256:{}", added["hints"]["sha256"].as_str().unwrap());
    // The engine at hand takes other models, and says so once it has been shown this one.
    let found = node.echo(&["--model", &alias], "by hash");
    let shown = node.home.pannier(&["fetch", &found, "--wait=1m"], b"");
    assert_eq!(shown.status.code(), Some(4), "{}", stderr(&shown));
    assert!(stderr(&shown).contains("the model"), "{}", stderr(&shown));
    let other = node.echo(&["--model", &format!("sha256:{}", "0".repeat(64))], "by another");
    assert_eq!(node.home.exit(&["fetch", &other]), 3);
    let short = node.home.pannier(&["submit", "--kind", "echo", "--model", "sha256:0123", "-"], b"by half");
    assert_eq!(short.status.code(), Some(1));
    assert!(stderr(&short).contains("64 hexadecimal digits"), "{}", stderr(&short));
}

#[test]
fn any_file_is_kept_as_data_if_its_owner_says_so() {
    let node = Node::start();
    fs::write(node.home.path().join("map"), "here be dragons").unwrap();
    let refused = node.home.pannier(&["model", "add", "map"], b"");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("kind `data` takes any file"), "{}", stderr(&refused));
    let added = node.told(&["model", "add", "map", "--kind", "data"]);
    assert_eq!((added["name"].as_str(), added["size"].as_u64()), (Some("map"), Some(15)));
    assert_eq!(node.home.exit(&["model", "add", "map", "--kind", "scroll"]), 2);
}

#[test]
fn a_model_with_no_proper_name_or_no_file_is_refused() {
    let node = Node::start();
    fs::write(node.home.path().join("tiny.gguf"), model(&[16, 64], 4096)).unwrap();
    fs::write(node.home.path().join("long.gguf"), model(&[16, 64], 8 << 20)).unwrap();
    for file in ["tiny.gguf", "long.gguf"] {
        let refused = node.home.pannier(&["model", "add", file, "--name", "two\nlines"], b"");
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains("control characters"), "{file}: {}", stderr(&refused));
    }
    assert_eq!(node.home.exit(&["model", "add", "tiny.gguf", "--name", &"n".repeat(300)]), 1);
    assert_eq!(node.home.exit(&["model", "add", "missing.gguf"]), 1);
    assert_eq!(node.home.exit(&["model", "add", "."]), 2);
    let json = node.home.pannier(&["--json", "model", "add", "missing.gguf"], b"");
    assert_eq!(last_line(&json)["type"], "error");
    assert_eq!(node.told(&["model", "list"])["models"], 0);
}

#[test]
fn a_model_that_is_too_large_for_the_store_is_refused_and_jobs_still_find_room() {
    let node = Node::start_with(&["inference.engines=echo", "store.quota=3MB"]);
    fs::write(node.home.path().join("large.gguf"), model(&[1024, 1024], 4 << 20)).unwrap();
    let refused = node.home.pannier(&["--json", "model", "add", "large.gguf"], b"");
    assert_eq!((refused.status.code(), last_line(&refused)["code"].as_str()), (Some(4), Some("store_full")));
    assert_eq!(node.command(&["fetch", &node.echo(&["--wait=1m"], "room")]), "room");
    fs::write(node.home.path().join("small.gguf"), model(&[1024, 128], 512 << 10)).unwrap();
    node.command(&["model", "add", "small.gguf"]);
}

//! The same walk with a stick in a pocket: a folder that is written at one place and read at another, cut off at any
//! moment, damaged, and too small.

use std::{fs, path::Path, process::Stdio};

use crate::{
    sandbox::{Node, SmallDisk, await_that, on_stick},
    shell::{stderr, stdout},
};

/// How many bundles, each as long as one may be, make an export that takes a while.
const MANY: usize = 24;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Submits data for another node.
fn send(node: &Node, bytes: &[u8]) {
    node.command_with(&["submit", "--kind", "data", "--to", "dtn://elsewhere/inbox", "-"], bytes);
}

#[test]
fn an_answer_comes_home_on_a_stick_and_the_stick_is_empty_then() {
    let stick = tempfile::tempdir().unwrap();
    let stick = stick.path();
    let village = Node::start_carrier();
    let clinic = Node::start();
    let job = village.echo(&[], "Is the bridge up?");
    assert_eq!(village.told(&["spool", "export", text(stick)])["bundles"], 1);
    assert_eq!(village.told(&["spool", "export", text(stick)])["bundles"], 0, "what is there stays there");
    let taken = clinic.command(&["spool", "import", text(stick)]);
    assert!(taken.starts_with("1 bundle taken in, ") && !taken.contains(" 0 B"), "{taken}");
    await_that("the answer at the clinic", || clinic.state(&job) == "done");
    assert_eq!(clinic.told(&["spool", "export", text(stick)])["bundles"], 1);

    let executor = clinic.ready()["eid"].as_str().unwrap().to_owned();
    let checked: Vec<String> = on_stick(stick, "bundles")
        .iter()
        .map(|name| {
            clinic.command(&["bundle", "validate", text(&stick.join("pannier-spool/bundles").join(name))])
        })
        .collect();
    let signed = format!("the result is signed by {executor}");
    assert_eq!(checked.iter().filter(|said| said.contains(&signed)).count(), 1, "{checked:?}");

    village.command(&["spool", "import", text(stick)]);
    assert_eq!(village.command(&["fetch", &job, "--wait=1m"]), "Is the bridge up?");
    assert_eq!(village.count(&job, "answered"), 1);
    village.command(&["spool", "import", text(stick)]);
    assert_eq!(on_stick(stick, "bundles"), [""; 0], "nobody needs anything of it any more");
    assert_eq!(village.count(&job, "answered"), 1);
}

#[test]
fn an_export_that_was_cut_off_is_finished_by_the_next_one() {
    let stick = tempfile::tempdir().unwrap();
    let stick = stick.path();
    let mut sender = Node::start_carrier();
    let receiver = Node::start_carrier();
    for number in 0..MANY {
        send(&sender, &vec![u8::try_from(number).unwrap(); 1024 * 1024]);
    }
    let mut export = sender.home.command(&["spool", "export", text(stick)]);
    let mut export = export.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    await_that("the first bundle on the stick", || !on_stick(stick, "bundles").is_empty());
    sender.kill();
    assert_ne!(export.wait().unwrap().code(), Some(2));
    let first = on_stick(stick, "bundles").len();

    // Who meets the stick in between takes what is whole.
    let taken = receiver.told(&["spool", "import", text(stick)]);
    assert_eq!(taken["findings"].as_array().unwrap().len(), 0, "nothing on it is damaged: {taken}");
    sender.run();
    sender.command(&["spool", "export", text(stick)]);
    let names = on_stick(stick, "bundles");
    assert_eq!(names.len(), MANY, "{first} were there after the first export");
    receiver.command(&["spool", "import", text(stick)]);
    assert_eq!(receiver.bundles().len(), MANY);
}

#[test]
fn an_import_that_was_cut_off_is_finished_by_the_next_one() {
    let stick = tempfile::tempdir().unwrap();
    let stick = stick.path();
    let sender = Node::start_carrier();
    let mut receiver = Node::start_carrier();
    for number in 0..MANY {
        send(&sender, &vec![u8::try_from(number).unwrap(); 1024 * 1024]);
    }
    sender.command(&["spool", "export", text(stick)]);
    let mut import = receiver.home.command(&["spool", "import", text(stick)]);
    let mut import = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    await_that("the first bundle at the receiver", || !receiver.bundles().is_empty());
    receiver.kill();
    import.wait().unwrap();
    assert_eq!(on_stick(stick, "bundles").len(), MANY, "what is for others stays on the stick");
    receiver.run();
    let before = receiver.bundles().len();
    let taken = receiver.told(&["spool", "import", text(stick)]);
    assert_eq!(taken["bundles"], MANY - before, "{taken}");
    assert_eq!(receiver.bundles().len(), MANY);
    assert_eq!(receiver.home.exit(&["doctor"]), 0);
}

#[test]
fn a_stick_that_is_full_takes_what_fits() {
    let Some(stick) = SmallDisk::mount(6) else {
        eprintln!("skipped: a small disk can only be mounted by root");
        return;
    };
    let (sender, receiver) = (Node::start_carrier(), Node::start_carrier());
    for number in 0..8 {
        send(&sender, &vec![number; 1024 * 1024]);
    }
    let stick = stick.path();
    let exported = sender.told(&["spool", "export", text(&stick)]);
    let written = exported["bundles"].as_u64().unwrap();
    assert!((3..=5).contains(&written), "{exported}");
    assert_eq!(exported["findings"][0], format!("no room for {} bundles", 8 - written));
    let taken = receiver.told(&["spool", "import", text(&stick)]);
    assert_eq!((taken["bundles"].as_u64(), taken["findings"].as_array().unwrap().len()), (Some(written), 0));
}

#[test]
fn a_damaged_file_is_set_aside_and_brought_again() {
    let stick = tempfile::tempdir().unwrap();
    let stick = stick.path();
    let (sender, receiver) = (Node::start_carrier(), Node::start_carrier());
    for number in 0..3 {
        send(&sender, &vec![number; 50_000]);
    }
    sender.command(&["spool", "export", text(stick)]);
    let bundles = stick.join("pannier-spool/bundles");
    let names = on_stick(stick, "bundles");
    // One was pulled out half written, one has a flipped bit.
    let short = fs::File::options().write(true).open(bundles.join(&names[0])).unwrap();
    short.set_len(20_000).unwrap();
    let mut flipped = fs::read(bundles.join(&names[1])).unwrap();
    flipped[30_000] ^= 1;
    fs::write(bundles.join(&names[1]), &flipped).unwrap();
    fs::write(bundles.join("notes.txt"), "mine").unwrap();

    let import = receiver.home.pannier(&["spool", "import", text(stick)], b"");
    assert_eq!(import.status.code(), Some(0), "{}", stderr(&import));
    assert!(stdout(&import).starts_with("1 bundle taken in"), "{}", stdout(&import));
    assert!(names[..2].iter().all(|name| stderr(&import).contains(name)), "{}", stderr(&import));
    assert_eq!(on_stick(stick, "bad"), names[..2]);
    assert!(bundles.join("notes.txt").exists(), "what is not ours is left alone");

    assert_eq!(sender.told(&["spool", "export", text(stick)])["bundles"], 2);
    receiver.command(&["spool", "import", text(stick)]);
    assert_eq!(receiver.bundles().len(), 3);
}

#[test]
fn a_budget_is_kept_and_a_job_goes_before_data() {
    let stick = tempfile::tempdir().unwrap();
    let stick = stick.path();
    let (sender, clinic) = (Node::start_carrier(), Node::start());
    for number in 0..5 {
        send(&sender, &vec![number; 100_000]);
    }
    let job = sender.echo(&[], "small and urgent");
    let exported = sender.told(&["spool", "export", text(stick), "--max", "250kB"]);
    assert!(exported["bytes"].as_u64().unwrap() <= 250_000, "{exported}");
    assert_eq!(exported["bundles"], 3, "{exported}");
    assert_eq!(exported["findings"][0], "no room for 3 bundles");
    clinic.command(&["spool", "import", text(stick)]);
    await_that("the answer", || clinic.state(&job) == "done");
    let more = sender.told(&["spool", "export", text(stick), "--max", "250kB"]);
    assert_eq!(more["bundles"], 0, "what is there counts: {more}");
}

#[test]
fn a_folder_that_is_no_stick_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_carrier();
    let import = node.home.pannier(&["spool", "import", text(folder.path())], b"");
    assert_eq!(import.status.code(), Some(1));
    assert!(stderr(&import).contains("no spool at"), "{}", stderr(&import));
    let unknown = node.home.pannier(&["spool", "export", text(folder.path()), "--to", "nonsense"], b"");
    assert_ne!(unknown.status.code(), Some(0));
    assert!(stderr(&unknown).contains("`nonsense`"), "{}", stderr(&unknown));
}

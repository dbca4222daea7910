//! Jobs that carriers cannot read: a village asks, a bus carries, a clinic answers; on the disk of the bus
//! there is no word of either.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bundle_spec::{Bundle, Lax, adu::SealedResult};

use crate::{
    sandbox::{Node, await_that},
    shell::{Home, last_line, stderr, stdout},
};

/// In the question, and so in the answer of the echo.
const SECRET: &str = "the patient in bed four has typhoid";

/// The bus meets a node until something holds, and drives on.
fn meet(bus: &Node, whom: &Node, what: &str, mut holds: impl FnMut() -> bool) {
    let address = whom.address();
    bus.command(&["peer", "add", &address]);
    await_that(what, &mut holds);
    bus.command(&["peer", "forget", &address]);
}

/// An executor that has a role of that name, and an asker that knows its public half.
fn clinic_and_village() -> (Node, Node) {
    let (clinic, village) = (Node::start(), Node::start_carrier());
    clinic.command(&["key", "create", "executors"]);
    introduce(&clinic, &["--role", "executors"], &village);
    (clinic, village)
}

/// One node shows a key, the other adds it.
fn introduce(whose: &Node, what: &[&str], to: &Node) {
    let line = whose.command(&[&["key", "show"], what].concat());
    to.command_with(&["key", "add"], line.as_bytes());
}

/// Files under a folder in which these bytes stand.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(holding(&path, text));
        } else if kind.is_file() {
            // A file that was just removed holds nothing.
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_carrier_has_neither_question_nor_answer_on_its_disk() {
    let (clinic, village) = clinic_and_village();
    let bus = Node::start_carrier();
    let arguments = ["submit", "--kind", "echo", "-"];
    let told = village.lines_with(&arguments, SECRET.as_bytes()).pop().unwrap();
    assert_eq!(told["seal"], "group", "the key of the role is known");
    let job = told["id"].as_str().unwrap();
    let long = village.echo(&["--seal", "group", "-p", "repeat=3"], &format!("{SECRET}. ").repeat(3000));

    meet(&bus, &village, "the jobs on the bus", || bus.bundles().len() == 3);
    let carried = bus.told(&["status", job]);
    assert_eq!((&carried["kind"], &carried["seal"]), (&"sealed".into(), &"group".into()));
    assert!(carried["waits_for"].as_str().unwrap().contains("cannot be read here"), "{carried}");
    meet(&bus, &clinic, "the answers on the bus", || bus.state(job) == "done" && bus.state(&long) == "done");
    assert_eq!(bus.home.exit(&["fetch", job]), 1, "the bus cannot read it");
    assert!(clinic.told(&["status", job])["result"].is_null(), "the answer is sealed for the village alone");
    meet(&bus, &village, "the answers in the village", || {
        village.state(job) == "done" && village.state(&long) == "done"
    });
    assert_eq!(village.command(&["fetch", job]), SECRET);
    assert_eq!(village.command(&["fetch", &long, "--wait=1m"]).matches(SECRET).count(), 9000);
    let told = village.told(&["status", job]);
    assert_eq!(told["result"]["executor"], clinic.ready()["eid"]);
    assert_eq!(told["result"]["signature_valid"], true);
    await_that("receipts on the bus", || bus.bundles().iter().all(|bundle| bundle["job"] != *job));

    let open = village.echo(&["--seal", "open"], "a cow has colic");
    meet(&bus, &village, "the open job on the bus", || !bus.state(&open).is_empty());
    assert!(!holding(bus.home.path(), "colic").is_empty(), "what is not sealed is found");
    for (name, node) in [("bus", &bus), ("clinic", &clinic), ("village", &village)] {
        assert_eq!(holding(node.home.path(), "typhoid"), Vec::<PathBuf>::new(), "at the {name}");
        assert!(!node.log().contains("typhoid"), "in the log of the {name}");
    }
}

#[test]
fn an_executor_that_asks_its_own_group_reads_its_own_answer() {
    let clinic = Node::start();
    clinic.command(&["key", "create", "executors"]);
    let job = clinic.echo(&["--seal", "group"], SECRET);
    assert_eq!(clinic.command(&["fetch", &job, "--wait=1m"]), SECRET);
    assert_ne!(clinic.echo(&["--seal", "group"], SECRET), job, "sealed twice, it is another job");
    assert_eq!(holding(clinic.home.path(), "typhoid"), Vec::<PathBuf>::new());
    let listed = clinic.lines(&["key", "list"]);
    assert_eq!((&listed[0]["owner"], &listed[1]["owner"]), (&"own".into(), &"role executors".into()));
}

#[test]
fn only_the_nodes_that_were_named_run_the_job() {
    let (village, clinic, school) = (Node::start_carrier(), Node::start(), Node::start());
    introduce(&clinic, &[], &village);
    let eid = clinic.ready()["eid"].as_str().unwrap().to_owned();
    let job = village.echo(&["--seal", &format!("to:{eid}")], SECRET);
    meet(&school, &village, "the job in the school", || !school.state(&job).is_empty());
    assert_eq!(school.told(&["status", &job])["kind"], "sealed");
    meet(&school, &clinic, "the answer in the school", || school.state(&job) == "done");
    meet(&school, &village, "the answer in the village", || village.state(&job) == "done");
    assert_eq!(village.command(&["fetch", &job]), SECRET);
    assert_eq!((school.count(&job, "started"), clinic.count(&job, "started")), (0, 1));
}

#[test]
fn nothing_is_less_sealed_than_was_wished() {
    let village = Node::start_carrier();
    let refused = |arguments: &[&str], what: &str, hint: &str| {
        let arguments = [&["submit", "--kind", "echo"], arguments, &["-"]].concat();
        let output = village.home.pannier(&arguments, b"why?");
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{said}");
        assert!(said.contains(what) && said.contains(hint), "{said}");
    };
    refused(&["--seal", "group"], "the public key of the role `executors` is not known", "pannier key add");
    refused(&["--seal", "to:dtn://clinic/"], "no public key of `dtn://clinic/` is known", "pannier key show");
    refused(&["--seal", "secret"], "`open`, `group` or `to:NODE,NODE`", "");
    let open = village.lines_with(&["submit", "--kind", "echo", "-"], b"why?").pop().unwrap();
    assert_eq!(open["seal"], "open");
    village.command(&["key", "create", "executors"]);
    refused(&["--lifetime", "90d"], "a sealed job lives at most 30d", "--lifetime");
    assert_eq!(village.bundles().len(), 1, "what was refused was not kept");
}

#[test]
fn askers_with_the_old_key_are_answered_while_the_new_one_spreads() {
    let (clinic, village) = clinic_and_village();
    clinic.command(&["key", "rotate", "--role", "executors"]);
    let old = village.echo(&[], "sealed for the old key");
    introduce(&clinic, &["--role", "executors"], &village);
    let new = village.echo(&[], "sealed for the new key");
    // The asker's own key changes while its jobs are under way.
    village.command(&["key", "rotate"]);
    meet(&clinic, &village, "both answers in the village", || {
        [&old, &new].iter().all(|job| village.state(job) == "done")
    });
    assert_eq!(village.command(&["fetch", &old]), "sealed for the old key");
    assert_eq!(village.command(&["fetch", &new]), "sealed for the new key");
}

#[test]
fn a_job_that_came_before_its_key_runs_when_the_key_comes() {
    let village = Node::start_carrier();
    village.command(&["key", "create", "executors"]);
    let clinic = Node::start();
    let job = village.echo(&["--seal", "group"], SECRET);
    assert_eq!(village.state(&job), "waiting");
    meet(&clinic, &village, "the job in the clinic", || {
        clinic.state(&job) == "carried" || !clinic.state(&job).is_empty()
    });
    assert_eq!(clinic.told(&["status", &job])["kind"], "sealed");
    introduce(&village, &["--role", "executors", "--secret"], &clinic);
    await_that("an answer in the clinic", || clinic.count(&job, "answered") == 1);
    meet(&clinic, &village, "the answer in the village", || village.state(&job) == "done");
    assert_eq!(village.command(&["fetch", &job]), SECRET);
}

#[test]
fn a_sealed_answer_in_a_file_is_checked_by_who_can_open_it() {
    let (clinic, village) = clinic_and_village();
    let bus = Node::start_carrier();
    let job = village.echo(&[], SECRET);
    meet(&bus, &village, "the job on the bus", || !bus.state(&job).is_empty());
    meet(&bus, &clinic, "the answer on the bus", || bus.state(&job) == "done");
    let id = bus.bundles().iter().find(|bundle| bundle["job"] == *job).unwrap()["id"].clone();
    let raw = bus.home.path().join("raw");
    bus.command(&["recv", "-b", id.as_str().unwrap(), "--raw", "-o", raw.to_str().unwrap()]);

    let blind = bus.command(&["bundle", "validate", raw.to_str().unwrap()]);
    assert!(blind.contains("sealed, signature inside"), "{blind}");
    let seeing = village.command(&["bundle", "validate", raw.to_str().unwrap()]);
    assert!(seeing.contains(&format!("signed by {}", clinic.ready()["eid"].as_str().unwrap())), "{seeing}");

    let mut bundle = Bundle::parse(fs::read(&raw).unwrap().into(), &Lax::strict()).unwrap();
    let mut sealed = SealedResult::decode(&bundle.payload).unwrap();
    let mut bytes = sealed.ciphertext.to_vec();
    bytes[17] ^= 1;
    sealed.ciphertext = bytes.into();
    bundle.payload = sealed.encode();
    fs::write(&raw, bundle.encode()).unwrap();
    let forged = village.home.pannier(&["bundle", "validate", raw.to_str().unwrap()], b"");
    assert_eq!(forged.status.code(), Some(1));
    assert!(stderr(&forged).contains("damaged or was changed"), "{}", stderr(&forged));
}

#[test]
fn a_program_says_who_may_read_in_a_header_and_is_told() {
    let (clinic, village) = clinic_and_village();
    let body = r#"{"model": "none", "messages": [{"role": "user", "content": "why?"}]}"#;
    let refused = village.http(
        "POST",
        "/v1/chat/completions",
        &[("Pannier-Seal", "to:dtn://nobody/"), ("Content-Type", "application/json")],
        body,
    );
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (409, &"no_key".into()));
    drop(clinic);
}

#[test]
fn keys_are_made_passed_on_rotated_and_forgotten_without_a_node() {
    let [here, there] = [Home::new(), Home::new()];
    for home in [&here, &there] {
        assert_eq!(home.exit(&["init"]), 0);
    }
    let made = last_line(&here.pannier(&["key", "create", "executors", "--json"], b""));
    assert_eq!(
        (&made["owner"], &made["epoch"], &made["opens"]),
        (&"role executors".into(), &1.into(), &true.into())
    );
    assert_eq!(here.exit(&["key", "create", "executors"]), 1, "there is one already");
    let line = stdout(&here.pannier(&["key", "show", "--role", "executors"], b""));
    assert_eq!(last_line(&there.pannier(&["key", "add", "--json"], line.as_bytes()))["added"], 1);
    assert_eq!(last_line(&there.pannier(&["key", "add", "--json"], line.as_bytes()))["added"], 0);
    let refused = there.pannier(&["key", "rotate", "--role", "executors"], b"");
    assert!(stderr(&refused).contains("its secret is not here"), "{}", stderr(&refused));
    assert_eq!(there.exit(&["key", "show", "--role", "executors", "--secret"]), 5);

    assert_eq!(last_line(&here.pannier(&["key", "rotate", "--json"], b""))["epoch"], 2);
    let listed = stdout(&here.pannier(&["key", "list"], b""));
    assert!(listed.contains("retired, still opens"), "{listed}");
    let own = stdout(&here.pannier(&["key", "show"], b""));
    let forged = own.replace(" 2 ", " 3 ");
    let output = there.pannier(&["key", "add"], forged.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("signature"), "{}", stderr(&output));
    assert_eq!(there.exit(&["key", "forget", "executors"]), 0);
    assert_eq!(there.exit(&["key", "forget", "executors"]), 5);
}

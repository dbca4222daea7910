//! Sealed jobs and results: who opens them, and that no bit of them can be changed.

use bundle_spec::{
    Cid,
    adu::{
        ADU_BYTES_MAX, Job, JobInput, JobResult, Kind, ModelSelector, OpenedJob, Outcome, Output,
        RECIPIENTS_MAX, SealLevel, SealedJob, SealedResult, Statement, Timings, Usage,
    },
    sealing::{Entropy, OpenError, PLAIN_BYTES_MAX, SealError, SealingKey, SealingPublic},
    sign::SigningKey,
};

const QUESTION: &str = "Is it contagious?";

#[test]
fn every_recipient_opens_a_job_and_nobody_else() {
    let keys: Vec<SealingKey> = (1..=16).map(key).collect();
    let recipients: Vec<SealingPublic> = keys.iter().map(SealingKey::public).collect();
    let sealed = seal(&job(QUESTION), &recipients).unwrap();
    let read = SealedJob::decode(&sealed.encode()).unwrap();
    assert_eq!(read, sealed);
    for key in &keys {
        let opened = read.open([key]).unwrap();
        assert_eq!((opened.job, opened.reply), (job(QUESTION).encode(), key_of_asker().public()));
    }
    assert_eq!(read.open([&key(17)]).err(), Some(OpenError::NoKey));
    assert_eq!(read.open([]).err(), Some(OpenError::NoKey));
    assert!(read.open([&key(17), &keys[9]]).is_ok(), "one of several keys will do");
}

#[test]
fn a_bit_that_is_changed_anywhere_in_a_job_is_noticed() {
    let sealed = seal(&job(QUESTION), &[key(1).public(), key(2).public()]).unwrap();
    let bytes = sealed.encode();
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.to_vec();
            changed[at] ^= bit;
            let opened = SealedJob::decode(&changed).ok().and_then(|job| job.open([&key(1), &key(2)]).ok());
            assert!(opened.is_none(), "byte {at}, bit {bit:#x}");
        }
    }
}

#[test]
fn a_bit_that_is_changed_anywhere_in_a_result_is_noticed() {
    let (job, opened) = opened();
    let sealed = answer(&job, &opened, job.cid()).unwrap();
    assert!(sealed.open([&key_of_asker()]).is_ok());
    let bytes = sealed.encode();
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let opened = SealedResult::decode(&changed).ok().and_then(|it| it.open([&key_of_asker()]).ok());
        assert!(opened.is_none(), "byte {at}");
    }
}

#[test]
fn an_answer_shows_everybody_that_its_maker_has_opened_the_job() {
    let (job, opened) = opened();
    let sealed = answer(&job, &opened, job.cid()).unwrap();
    assert!(sealed.answers(&job.commitment));
    let other = seal_with(&self::job(QUESTION), &[key(1).public()], 9).unwrap();
    assert!(!sealed.answers(&other.commitment), "the same question sealed again is another job");
    let guess = SealedResult { token: [7; 32], ..sealed };
    assert!(!guess.answers(&job.commitment));
}

#[test]
fn a_result_opens_at_the_asker_and_only_for_its_job() {
    let (job, opened) = opened();
    let sealed = answer(&job, &opened, job.cid()).unwrap();
    let found = sealed.open([&key(1), &key_of_asker()]).unwrap();
    assert_eq!(found.result.verify(), Ok(executor().public()));
    assert_eq!(found.adu, found.result.encode());
    assert_eq!(sealed.open([&key(1)]).err(), Some(OpenError::NoKey), "not even who has answered");

    let elsewhere = answer(&job, &opened, self::job("another").cid()).unwrap();
    assert_eq!(elsewhere.open([&key_of_asker()]).err(), Some(OpenError::Content));
}

#[test]
fn a_signature_that_is_wrong_within_is_not_believed() {
    let (job, opened) = opened();
    let mut result = result(job.cid());
    result.statement.engine = "another".to_owned();
    let sealed = SealedResult::seal(job.cid(), &result.encode(), &opened, Entropy([3; 32])).unwrap();
    assert_eq!(sealed.open([&key_of_asker()]).err(), Some(OpenError::Content));
}

#[test]
fn the_length_of_a_question_shows_in_steps_only() {
    let len = |words: usize| seal(&job(&"w ".repeat(words)), &[key(1).public()]).unwrap().encode().len();
    assert_eq!(len(1), len(20));
    assert!((len(2000) - len(1990)) * 8 < len(2000));
    assert_eq!(len(2000), len(2010));
}

#[test]
fn the_longest_job_for_the_most_recipients_fits_an_adu_and_a_longer_one_is_refused() {
    let recipients: Vec<SealingPublic> = (1..=16).map(|seed| key(seed).public()).collect();
    let overhead = job("").encode().len() + 8 + "job".len() + "reply".len() + 45;
    let sealed = seal(&job(&"x".repeat(PLAIN_BYTES_MAX - overhead)), &recipients).unwrap();
    assert!(sealed.encode().len() <= ADU_BYTES_MAX);
    assert!(SealedJob::decode(&sealed.encode()).unwrap().open([&key(3)]).is_ok());
    let longer = job(&"x".repeat(PLAIN_BYTES_MAX));
    assert_eq!(seal(&longer, &recipients).unwrap_err(), SealError::TooLong);
}

#[test]
fn nobody_too_many_and_weak_keys_are_refused() {
    assert_eq!(seal(&job(QUESTION), &[]).unwrap_err(), SealError::NoRecipient);
    let many: Vec<SealingPublic> = (0..17).map(|seed| key(seed).public()).collect();
    assert_eq!(many.len(), RECIPIENTS_MAX + 1);
    assert_eq!(seal(&job(QUESTION), &many).unwrap_err(), SealError::Recipients);
    // Everybody agrees with the zero point on zero.
    assert_eq!(seal(&job(QUESTION), &[SealingPublic([0; 32])]).unwrap_err(), SealError::WeakKey);
    let twice = [key(1).public(), key(1).public()];
    assert_eq!(seal(&job(QUESTION), &twice).unwrap().recipients.len(), 1);
}

#[test]
fn blocks_open_at_their_place_and_nowhere_else() {
    let entropy = Entropy([4; 32]);
    let blocks = entropy.blocks();
    let [first, second] = [0, 1].map(|place| blocks.seal(place, QUESTION.as_bytes()).unwrap());
    assert_ne!(first, second);
    let job = SealedJob::seal(
        &job("").encode(),
        SealLevel::To,
        &[key(1).public()],
        key_of_asker().public(),
        entropy,
    );
    let opened = job.unwrap().open([&key(1)]).unwrap();
    assert_eq!(opened.blocks.open(0, &first).unwrap().as_slice(), QUESTION.as_bytes());
    assert_eq!(opened.blocks.open(0, &second).unwrap_err(), OpenError::Damaged);
    let (_, other) = self::opened();
    assert_eq!(other.blocks.open(0, &first).unwrap_err(), OpenError::Damaged, "another job, another key");
}

#[test]
fn any_bytes_open_to_nothing_or_are_refused() {
    let [job, result] = {
        let (job, opened) = opened();
        let result = answer(&job, &opened, job.cid()).unwrap();
        [job.encode(), result.encode()]
    };
    bolero::check!().with_type::<(bool, Vec<(u16, u8)>)>().with_iterations(2_000).for_each(
        |(is_job, edits)| {
            let original = if *is_job { &job } else { &result };
            let mut bytes = original.to_vec();
            for (at, byte) in edits.iter().take(4) {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *byte;
            }
            let is_same = bytes == *original;
            let opened_job = SealedJob::decode(&bytes).map(|sealed| sealed.open([&key(1)]).is_ok());
            let opened_result = SealedResult::decode(&bytes).map(|it| it.open([&key_of_asker()]).is_ok());
            assert_eq!(opened_job.unwrap_or(false) || opened_result.unwrap_or(false), is_same);
        },
    );
}

fn key(seed: u8) -> SealingKey {
    SealingKey::from_bytes(&[seed; 32])
}

fn key_of_asker() -> SealingKey {
    key(200)
}

fn executor() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn job(text: &str) -> Job {
    let inputs = vec![JobInput::Inline { media: "text/plain".into(), data: text.to_owned().into() }];
    Job { kind: Kind::Echo, model: ModelSelector::None, inputs, parameters: [].into(), nonce: None }
}

fn seal(job: &Job, recipients: &[SealingPublic]) -> Result<SealedJob, SealError> {
    seal_with(job, recipients, 1)
}

fn seal_with(job: &Job, recipients: &[SealingPublic], seed: u8) -> Result<SealedJob, SealError> {
    SealedJob::seal(&job.encode(), SealLevel::Group, recipients, key_of_asker().public(), Entropy([seed; 32]))
}

fn opened() -> (SealedJob, OpenedJob) {
    let sealed = seal(&job(QUESTION), &[key(1).public()]).expect("a short job is sealed");
    let opened = sealed.open([&key(1)]).expect("the key opens it");
    (sealed, opened)
}

fn answer(job: &SealedJob, opened: &OpenedJob, about: Cid) -> Result<SealedResult, SealError> {
    SealedResult::seal(job.cid(), &result(about).encode(), opened, Entropy([2; 32]))
}

fn result(job: Cid) -> JobResult {
    let outputs = vec![Output::Inline { media: "text/plain".into(), data: "No.".into() }];
    let statement = Statement {
        job,
        model: None,
        engine: "echo".into(),
        fingerprint: "echo 1".into(),
        parameters: [].into(),
        outcome: Outcome::Completed { outputs, finish: "stop".into() },
        usage: Usage::default(),
        timings: Timings::default(),
        executor: executor().public().node_id(),
    };
    JobResult::sign(statement, &executor())
}

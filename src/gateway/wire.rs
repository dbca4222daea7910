//! What our own paths say: the types of `/api`, which the command line reads as well. Fields are stable.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What somebody wants done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// What kind of work.
    pub kind: String,
    /// By which model: a name, or the CID of a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How: `max_tokens`, `temperature`, `seed` and the like.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub parameters: serde_json::Map<String, Value>,
    /// The input, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The input in base64, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_base64: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// How long the job is worth carrying, e.g. `3d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// Whether it is to be done even if the same was done before.
    #[serde(default)]
    pub fresh: bool,
    /// Who may read it: `open`, `group` or `to:NODE,NODE`; by default what `sealing.default` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

/// A moment, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// RFC 3339, where a clock was known.
    pub at: Option<String>,
    /// Seconds since then.
    pub seconds_ago: u64,
}

/// One step of a journey.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepWire {
    /// What, in a word: `accepted`, `forwarded`, `answered`.
    pub step: String,
    /// When.
    #[serde(flatten)]
    pub moment: Moment,
    /// Which node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Over what, why, by which engine: in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobWire {
    /// Its id: the CID of the job.
    pub id: String,
    /// `waiting`, `carried`, `running`, `done`, `failed`, `delivered`, `expired` or `cancelled`.
    pub state: String,
    /// What kind of work; `sealed` where it is sealed for others.
    pub kind: String,
    /// Who may read it: `open`, `group` or `to`.
    #[serde(default)]
    pub seal: String,
    /// Which model it asks for.
    pub model: String,
    /// Whether a person at this node asked.
    pub mine: bool,
    /// Seconds until its lifetime ends.
    pub expires_in_seconds: u64,
    /// When that is, where a clock is known.
    pub expires_at: Option<String>,
    /// What it waits for; empty if it does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub waits_for: String,
    /// What happened to it.
    #[serde(default)]
    pub journey: Vec<StepWire>,
    /// What its executor says, where the answer is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultWire>,
    /// What its executor says of how it was done, where the answer is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<ExecutorWire>,
}

/// How a job was done, in its executor's signed words and by its clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecutorWire {
    /// Who.
    pub node: String,
    /// Whether that is another node than this one.
    pub remote: bool,
    /// When the job arrived there, in RFC 3339; absent if it had no clock.
    pub received_at: Option<String>,
    /// When work began, likewise.
    pub started_at: Option<String>,
    /// How long loading the model took.
    pub load_ms: u64,
    /// How long the work took.
    pub run_ms: u64,
}

/// What an executor says of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResultWire {
    /// The CID of the signed result.
    pub cid: String,
    /// `completed` or `failed`.
    pub outcome: String,
    /// Why generation ended, or why it failed.
    pub reason: String,
    /// In words, where it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Who did it.
    pub executor: String,
    /// Whether the signature is right.
    pub signature_valid: bool,
    /// Which engine.
    pub engine: String,
    /// What decides the bits of an output.
    pub fingerprint: String,
    /// The CID of the model's manifest.
    pub model: Option<String>,
    /// The parameters that were in force.
    pub parameters: Value,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// How long loading the model took.
    pub load_ms: u64,
    /// How long the work took.
    pub run_ms: u64,
    /// Media type and length of each output.
    pub outputs: Vec<OutputWire>,
}

/// One output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutputWire {
    /// Its media type.
    pub media: String,
    /// Its length in bytes.
    pub len: u64,
}

/// What came of a submission.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubmittedWire {
    /// The job's id.
    pub id: String,
    /// Whether its answer is here already.
    pub answered: bool,
    /// Who may read it: `open`, `group` or `to`; absent where nothing was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

/// A model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelWire {
    /// What it is called here; empty if it is only known.
    pub name: String,
    /// The CID of its manifest.
    pub manifest: String,
    /// Bytes; zero if unknown.
    pub size: u64,
    /// `here`, `near` or `known`.
    pub held: String,
    /// Nodes that say they have it.
    pub at: Vec<String>,
    /// What the file's own header says, and its SHA-256.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub hints: Value,
    /// Bytes of the file that were in the store already; said of a file that has just been added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<u64>,
}

/// A node that was met, or an address that is dialled, or both.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerWire {
    /// Who; empty if nobody has answered.
    pub node: String,
    /// Where it is dialled; empty if it is not.
    pub address: String,
    /// Whether there is a contact at this moment.
    pub connected: bool,
    /// When the last contact was.
    pub last_contact: Option<Moment>,
    /// Engines it offers.
    pub engines: Vec<String>,
    /// Models it offers.
    pub models: Vec<String>,
    /// What went wrong last; empty if nothing did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trouble: String,
}

/// An address to be dialled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerRequest {
    /// For example `quic://HOST:PORT`.
    pub address: String,
}

/// An invitation to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    /// What people call this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How long it holds, e.g. `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
}

/// An invitation to be accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// As `pannier peer invite` prints it.
    pub invitation: String,
    /// Whether it is only looked at.
    #[serde(default)]
    pub dry_run: bool,
}

/// An invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvitationWire {
    /// The whole of it.
    pub uri: String,
    /// Who invites.
    pub node: String,
    /// Its key, as libp2p writes it.
    pub peer_id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Until when it holds, in RFC 3339; absent if it has no end.
    pub expires_at: Option<String>,
    /// Where it is dialled.
    pub addresses: Vec<String>,
    /// For whom can be sealed with the keys in it: `node`, or `role NAME`.
    pub seals_for: Vec<String>,
    /// What is not as people might expect.
    pub findings: Vec<String>,
}

/// An invitation that was accepted or looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JoinedWire {
    /// Which.
    #[serde(flatten)]
    pub invitation: InvitationWire,
    /// Whether who invites is dialled from now on.
    pub joined: bool,
}

/// A stick.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpoolRequest {
    /// The folder, as an absolute path.
    pub folder: String,
    /// For which nodes; empty for anybody.
    #[serde(default)]
    pub to: Vec<String>,
    /// Most bytes that it may take up, e.g. `60GB`.
    #[serde(default)]
    pub max: Option<String>,
}

/// What came of a stick.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpoolWire {
    /// Bundles that were written or taken.
    pub bundles: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bundles that were there already or were not wanted.
    pub skipped: u64,
    /// What is wrong.
    pub findings: Vec<String>,
}

/// A bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BundleWire {
    /// Which.
    pub id: String,
    /// Where from.
    pub source: String,
    /// Where to.
    pub destination: String,
    /// The CID of its payload.
    pub payload: String,
    /// Bytes of its payload.
    pub len: u64,
    /// When it came.
    pub received: Moment,
    /// Seconds until its lifetime ends.
    pub expires_in_seconds: u64,
    /// Of which job.
    pub job: Option<String>,
    /// Why it is kept.
    pub retention: String,
    /// What its header says, where one bundle was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderWire>,
}

/// What the header of a bundle says (RFC 9171 §4.3, §4.4).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeaderWire {
    /// When it was made, in RFC 3339; absent if its maker had no clock.
    pub created: Option<String>,
    /// Where reports go.
    pub report_to: String,
    /// Its lifetime in milliseconds.
    pub lifetime_ms: u64,
    /// Its processing control flags as a number.
    pub flags: u64,
    /// Which reports it asks for.
    pub reports: Vec<String>,
    /// Whether it may be fragmented.
    pub may_fragment: bool,
    /// Whether the payload is an administrative record.
    pub administrative: bool,
    /// How many hops it may take, if it says so.
    pub hop_limit: Option<u8>,
    /// How many it has taken.
    pub hop_count: Option<u64>,
}

/// What came of sending a bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SentWire {
    /// Its id; absent if it was only looked at whether it would be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where from.
    pub source: String,
    /// Where to.
    pub destination: String,
    /// Bytes of its payload.
    pub len: u64,
    /// The CID of its payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// How long it is worth carrying.
    pub lifetime_seconds: u64,
}

/// An endpoint at which bundles are delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointWire {
    /// Which.
    pub endpoint: String,
    /// Whether it is an endpoint of this node alone.
    pub singleton: bool,
    /// Whether an application is registered in it.
    pub registered: bool,
    /// How many bundles wait there.
    pub waiting: usize,
    /// Bytes of their payloads.
    pub bytes: u64,
}

/// A bundle that waits for a reader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitingWire {
    /// Which.
    #[serde(flatten)]
    pub bundle: BundleWire,
    /// Whether another reader has it at this moment.
    pub claimed: bool,
}

/// A contact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkWire {
    /// With whom; null where the road does not say.
    pub peer: Option<String>,
    /// Over what.
    pub cla: String,
    /// Since when.
    pub since: Moment,
    /// Transfers in flight.
    pub in_flight: usize,
    /// Bundles that wait for another road because encryption is forbidden on this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldWire>,
}

/// Bundles that a contact may not carry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WithheldWire {
    /// Why, in words.
    pub why: String,
    /// How many.
    pub bundles: usize,
}

/// An engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EngineWire {
    /// Its name.
    pub name: String,
    /// What decides the bits of its outputs.
    pub fingerprint: String,
    /// What it can do.
    pub kinds: Vec<String>,
}

/// The node at a glance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusWire {
    /// Who it is.
    pub node: String,
    /// Version of the software.
    pub version: String,
    /// Whether submissions are accepted.
    pub ready: bool,
    /// Bundles held.
    pub bundles: usize,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Jobs without an answer.
    pub jobs_open: usize,
    /// Jobs whose task runs.
    pub jobs_running: usize,
    /// Jobs known.
    pub jobs: usize,
    /// Bytes that the store takes up.
    pub store_live: u64,
    /// Bytes that it may take up.
    pub store_quota: u64,
    /// Bytes that it can still take.
    pub store_free: u64,
    /// Engines that run.
    pub engines: Vec<EngineWire>,
    /// Contacts.
    pub links: Vec<LinkWire>,
}

/// What came back from an echo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PingWire {
    /// The bundle that was sent.
    pub bundle: String,
    /// Milliseconds until it came back.
    pub round_trip_ms: u64,
}

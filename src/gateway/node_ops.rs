//! What the gateway asks of the node beyond the mailbox: files, addresses, sticks, health. The node
//! implements it; tests have a second implementation.

use std::{future::Future, path::PathBuf, pin::Pin, time::Duration};

use bundle_spec::{Alias, Cid, invitation::Invitation, manifest::AssetKind};

/// An answer that takes its time.
pub type Operation<'a, T> = Pin<Box<dyn Future<Output = Result<T, OperationError>> + Send + 'a>>;

/// What a node can do for people beyond the mailbox.
pub trait NodeOps: Send + Sync {
    /// Takes a file into the store and keeps it under a name. The caller removes the file afterwards.
    fn import_model(&self, name: String, kind: AssetKind, file: PathBuf) -> Operation<'_, ImportedModel>;

    /// Dials an address from now on; survives a restart.
    fn peers_add(&self, address: String) -> Operation<'_, ()>;

    /// No longer dials an address.
    fn peers_forget(&self, address: String) -> Operation<'_, ()>;

    /// Every address that is dialled.
    fn peers_list(&self) -> Operation<'_, Vec<PeerAddress>>;

    /// Makes an invitation of this node.
    fn invite(&self, terms: InvitationTerms) -> Operation<'_, Introduced>;

    /// Dials whom an invitation names, and takes its keys in; changes nothing if it is only tried.
    fn join(&self, invitation: Invitation, dry_run: bool) -> Operation<'_, Introduced>;

    /// Writes what is useful elsewhere into a folder.
    fn spool_export(&self, request: SpoolExport) -> Operation<'_, SpoolReport>;

    /// Takes in what lies in a folder.
    fn spool_import(&self, folder: PathBuf) -> Operation<'_, SpoolReport>;

    /// Everything that is counted, as OpenMetrics text.
    fn metrics(&self) -> Operation<'_, String>;

    /// Looks at everything that only a running node can see.
    fn doctor(&self, quick: bool) -> Operation<'_, Vec<Check>>;

    /// Whether submissions are accepted.
    fn ready(&self) -> bool;
}

/// Why an operation came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// What was given makes no sense: a file that is no model, an address that is none.
    #[error("{0}")]
    Invalid(String),
    /// Nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// Its time is over.
    #[error("{0}")]
    Expired(String),
    /// The store is full.
    #[error("the store is full")]
    StoreFull,
    /// A limit of this name is reached.
    #[error("the limit of {0} is reached")]
    Limit(&'static str),
    /// The node cannot do this.
    #[error("{0}")]
    Unavailable(String),
    /// The disk or the operating system said no.
    #[error("{0}")]
    Failed(String),
}

/// A file that has become an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedModel {
    /// What it is called here.
    pub name: String,
    /// Its manifest.
    pub manifest: Cid,
    /// Its size in bytes.
    pub size: u64,
    /// How many of them were in the store already.
    pub known: u64,
    /// The SHA-256 of the file.
    pub alias: Option<Alias>,
}

/// An address that is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// As it was given.
    pub address: String,
    /// Who answered there last, if anybody did.
    pub node: Option<String>,
    /// Whether there is a contact at this moment.
    pub connected: bool,
    /// What went wrong last, in words; empty if nothing did.
    pub trouble: String,
}

/// How an invitation is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvitationTerms {
    /// What people call this node.
    pub name: Option<String>,
    /// How long it holds; `None` for the usual time.
    pub lifetime: Option<Duration>,
}

/// An invitation that was made or accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduced {
    /// The invitation.
    pub invitation: Invitation,
    /// Where who invites is dialled.
    pub addresses: Vec<String>,
    /// What is not as people might expect, in words.
    pub findings: Vec<String>,
}

/// What shall be written onto a stick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolExport {
    /// The folder.
    pub folder: PathBuf,
    /// For which nodes; empty for anybody.
    pub to: Vec<String>,
    /// Most bytes that it may take up.
    pub bytes_max: Option<u64>,
}

/// What came of a stick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolReport {
    /// Bundles that were written or taken.
    pub bundles: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bundles that were there already or were not wanted.
    pub skipped: u64,
    /// What is wrong, in words, each with its place.
    pub findings: Vec<String>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Well.
    Ok,
    /// Not as it should be, but it works.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Check {
    /// What, in a word or two.
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// What to do about it; empty if there is nothing to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

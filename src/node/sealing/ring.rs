//! The keys that a node has or knows: its own, those of roles, those of other nodes; each with its epochs.
//! Computes, touches nothing.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bundle_spec::{
    NodeId,
    sealing::{SealingKey, SealingPublic},
};

use crate::{limits, time::Time};

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// This node's own.
    Own,
    /// That of a role: who holds its secret may read what is sealed for the group.
    Role(String),
    /// That of another node.
    Node(NodeId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::Role(name) => write!(f, "role {name}"),
            Self::Node(node) => write!(f, "node {node}"),
        }
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Whose.
    pub owner: Owner,
    /// Which one of theirs, counted from one; the last is sealed for.
    pub epoch: u32,
    /// The public half.
    pub public: SealingPublic,
    /// The secret half, where this node may read.
    pub secret: Option<SealingKey>,
    /// When the running node first saw that a later epoch has taken its place; `None` before.
    pub retired: Option<Time>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    keys: Vec<KeyEntry>,
}

/// Why a key is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// There is another key of that epoch.
    #[error("another key of {owner}, epoch {epoch}, is known here: one of them is forged or lost")]
    Conflict {
        /// Whose.
        owner: Owner,
        /// Which epoch.
        epoch: u32,
    },
    /// Too many.
    #[error("the limit of {} keys is reached", limits::SEALING_KEYS_MAX)]
    Full,
}

impl Ring {
    /// Every key, by owner and epoch.
    #[must_use]
    pub fn keys(&self) -> &[KeyEntry] {
        &self.keys
    }

    /// What is to be opened with, the latest epochs first.
    pub fn secrets(&self) -> impl Iterator<Item = &SealingKey> {
        self.keys.iter().rev().filter_map(|key| key.secret.as_ref())
    }

    /// What is to be sealed for.
    #[must_use]
    pub fn current(&self, owner: &Owner) -> Option<&KeyEntry> {
        self.keys.iter().rev().find(|key| key.owner == *owner)
    }

    /// What somebody means: a node ID, or a public key as it is shown.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&KeyEntry> {
        if let Ok(node) = name.parse::<NodeId>() {
            return self.current(&Owner::Node(node));
        }
        self.keys.iter().find(|key| show_public(&key.public) == name)
    }

    /// Adds a key, or the secret of one that is known; says whether that is news.
    ///
    /// # Errors
    /// See [`RingError`].
    pub fn add(&mut self, entry: KeyEntry) -> Result<bool, RingError> {
        let place =
            self.keys.binary_search_by(|key| (&key.owner, key.epoch).cmp(&(&entry.owner, entry.epoch)));
        match place {
            Ok(place) => {
                let known = &mut self.keys[place];
                if known.public != entry.public {
                    return Err(RingError::Conflict { owner: entry.owner, epoch: entry.epoch });
                }
                let is_news = known.secret.is_none() && entry.secret.is_some();
                known.secret = known.secret.take().or(entry.secret);
                Ok(is_news)
            }
            Err(_) if self.keys.len() >= limits::SEALING_KEYS_MAX => Err(RingError::Full),
            Err(place) => {
                self.keys.insert(place, entry);
                Ok(true)
            }
        }
    }

    /// Adds the next epoch: from here on others seal for `key`, and what was sealed before still opens.
    ///
    /// # Errors
    /// `Full`.
    pub fn rotate(&mut self, owner: &Owner, key: SealingKey) -> Result<&KeyEntry, RingError> {
        let epoch = self.current(owner).map_or(1, |last| last.epoch + 1);
        let entry =
            KeyEntry { owner: owner.clone(), epoch, public: key.public(), secret: Some(key), retired: None };
        self.add(entry)?;
        Ok(self.current(owner).expect("the key was just added"))
    }

    /// Forgets every key of somebody; says how many.
    pub fn forget(&mut self, owner: &Owner) -> usize {
        let before = self.keys.len();
        self.keys.retain(|key| key.owner != *owner);
        before - self.keys.len()
    }

    /// Whether a later epoch has taken its place.
    #[must_use]
    pub fn is_retired(&self, key: &KeyEntry) -> bool {
        self.current(&key.owner).is_some_and(|current| current.epoch > key.epoch)
    }

    /// Notes which keys have retired, and destroys those that did so at least `overlap` ago. Says whether
    /// anything has changed.
    pub fn age(&mut self, now: Time, overlap: Duration) -> bool {
        let before = self.clone();
        let retired: Vec<bool> = self.keys.iter().map(|key| self.is_retired(key)).collect();
        for (key, is_retired) in self.keys.iter_mut().zip(retired) {
            key.retired = if is_retired { key.retired.or(Some(now)) } else { None };
        }
        self.keys.retain(|key| key.retired.is_none_or(|since| now.since(since) < overlap));
        *self != before
    }
}

/// A public key as people see it.
#[must_use]
pub fn show_public(key: &SealingPublic) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key.0)
}

//! Getting together with another node: what an invitation of this one says, and what following one changes
//! here. Called for the gateway; dials nobody itself.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bundle_spec::{
    DtnTime, NodeId,
    invitation::{Host, Introduction, Invitation, InvitationError, OfferedKey, PLACES_MAX, Place, ROADS},
    sign::{PublicKey, SigningKey},
};

use super::{
    clock::Clock,
    mailbox::Handle,
    peers::Peers,
    reach,
    roads::clear_roads,
    sealing::{self, KeyEntry, KeyFile, Owner, Ring, RingError, SealingFileError},
};
use crate::{
    cla::address::{AddressError, PeerAddress, Road},
    gateway::node_ops::{Introduced, InvitationTerms, OperationError},
    limits,
    settings::Settings,
};

/// What is needed to invite and to join.
pub(super) struct Joining {
    key: SigningKey,
    node: NodeId,
    clock: Arc<Clock>,
    peers: Arc<Peers>,
    keys: KeyFile,
    /// The role whose key invitations pass on.
    role: String,
    /// Where encryption is forbidden for those who come.
    clear: Vec<Road>,
}

impl Joining {
    pub(super) fn new(settings: &Settings, handle: &Handle, key: SigningKey, peers: Arc<Peers>) -> Self {
        Self {
            key,
            node: handle.node_id().clone(),
            clock: Arc::clone(handle.clock()),
            peers,
            keys: KeyFile::new(sealing::path(&settings.paths.data)),
            role: settings.sealing.role.clone(),
            clear: clear_roads(settings),
        }
    }

    /// An invitation of this node, which listens so.
    pub(super) fn invite(
        &self,
        listening: Vec<(&'static str, Option<SocketAddr>)>,
        terms: InvitationTerms,
    ) -> Result<Introduced, OperationError> {
        let mut findings = Vec::new();
        let introduction = Introduction {
            node: self.node.clone(),
            name: terms.name,
            expires: self.end(terms.lifetime, &mut findings)?,
            places: self.places(listening, &mut findings)?,
            keys: self.offered()?,
        };
        let invitation = Invitation::sign(introduction, &self.key).map_err(|error| match error {
            InvitationError::Malformed(cause) => OperationError::Invalid(cause.to_string()),
            other => OperationError::Invalid(other.to_string()),
        })?;
        let (addresses, strange) = addresses(&invitation);
        findings.extend(strange);
        Ok(Introduced {
            addresses: addresses.iter().map(ToString::to_string).collect(),
            invitation,
            findings,
        })
    }

    fn end(&self, lifetime: Option<Duration>, findings: &mut Vec<String>) -> Result<DtnTime, OperationError> {
        let Some((wall, _)) = self.clock.wall() else {
            if lifetime.is_some() {
                let detail = "the time is not known here, so that no end can be set: set the clock";
                return Err(OperationError::Unavailable(detail.to_owned()));
            }
            findings.push("the time is not known here: the invitation has no end".to_owned());
            return Ok(DtnTime::UNKNOWN);
        };
        let lifetime = lifetime.unwrap_or(limits::INVITATION_LIFETIME).as_millis();
        Ok(DtnTime(wall.0.saturating_add(u64::try_from(lifetime).unwrap_or(u64::MAX))))
    }

    fn places(
        &self,
        listening: Vec<(&'static str, Option<SocketAddr>)>,
        findings: &mut Vec<String>,
    ) -> Result<Vec<Place>, OperationError> {
        let interfaces = reach::interfaces().map_err(|error| {
            OperationError::Failed(format!("the addresses of this machine cannot be seen: {error}"))
        })?;
        let bound = listening.into_iter().filter_map(|(road, bound)| Some((road, bound?)));
        let places = bound.flat_map(|(road, bound)| {
            let ips = reach::reachable(bound.ip(), &interfaces);
            ips.into_iter().map(move |ip| (road, SocketAddr::new(ip, bound.port())))
        });
        let mut places = reach::without_loopback(places.collect());
        if places.is_empty() {
            let detail =
                "no link listens here, so that nobody could come: set `cla.quic.listen` to an address";
            return Err(OperationError::Unavailable(detail.to_owned()));
        }
        if places.iter().all(|(_, place)| place.ip().is_loopback()) {
            let words = "only this machine itself can follow the invitation: the links listen on loopback; \
                 set `cla.quic.listen` to `0.0.0.0:4558`";
            findings.push(words.to_owned());
        }
        if places.len() > PLACES_MAX {
            findings.push(format!("the first {PLACES_MAX} of {} addresses are in it", places.len()));
            places.truncate(PLACES_MAX);
        }
        Ok(places.into_iter().map(|(road, place)| self.place(road, place)).collect())
    }

    fn place(&self, road: &str, place: SocketAddr) -> Place {
        let number = ROADS.iter().position(|name| *name == road).expect("every road here has a number");
        Place {
            road: u64::try_from(number).expect("a position fits 64 bits"),
            host: Host::Ip(place.ip()),
            port: place.port(),
            is_clear: self.clear.iter().any(|clear| clear.name() == road),
        }
    }

    /// This node's own key and that of the executors, if it is known here.
    fn offered(&self) -> Result<Vec<OfferedKey>, OperationError> {
        let ring = self.keys.load()?;
        let offer = |owner: Owner, role: Option<String>| {
            ring.current(&owner).map(|key| OfferedKey { role, epoch: key.epoch, public: key.public })
        };
        let role = offer(Owner::Role(self.role.clone()), Some(self.role.clone()));
        Ok(offer(Owner::Own, None).into_iter().chain(role).collect())
    }

    /// Dials who invites from now on, and takes in what can be sealed with.
    pub(super) fn join(&self, invitation: Invitation, dry_run: bool) -> Result<Introduced, OperationError> {
        let mut findings = Vec::new();
        self.check(&invitation, &mut findings)?;
        let (mut addresses, strange) = addresses(&invitation);
        findings.extend(strange);
        addresses.retain(|address| match self.peers.may_reach(address) {
            Ok(()) => true,
            Err(error) => {
                findings.push(error.to_string());
                false
            }
        });
        if addresses.is_empty() {
            let mut words = vec!["nothing in the invitation can be dialled from here".to_owned()];
            words.extend(findings);
            return Err(OperationError::Invalid(words.join("; ")));
        }
        let taken = |ring: &mut Ring| take(ring, &invitation.introduction);
        findings.extend(match dry_run {
            true => taken(&mut self.keys.load()?).map_err(SealingFileError::from)?,
            false => self.keys.change(taken)?.1,
        });
        if !dry_run {
            self.peers.keep(&addresses)?;
        }
        let addresses = addresses.iter().map(ToString::to_string).collect();
        Ok(Introduced { invitation, addresses, findings })
    }

    /// Whether the invitation is for this node and holds still.
    fn check(&self, invitation: &Invitation, findings: &mut Vec<String>) -> Result<(), OperationError> {
        let said = &invitation.introduction;
        if *invitation.key() == self.key.public() {
            let detail = "the invitation is this node's own: `pannier join` it on another node";
            return Err(OperationError::Invalid(detail.to_owned()));
        }
        if said.node == self.node {
            let detail = format!("another node calls itself `{}`, which is the name of this one", said.node);
            return Err(OperationError::Invalid(detail));
        }
        match self.clock.wall() {
            Some((wall, _)) if invitation.is_expired(wall) => {
                Err(OperationError::Expired(format!("the invitation has expired at {}", said.expires)))
            }
            None if !said.expires.is_unknown() => {
                findings.push(format!(
                    "the time is not known here: the invitation may have expired, it held until {}",
                    said.expires
                ));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Where who invites is dialled, and what of it is not understood here.
fn addresses(invitation: &Invitation) -> (Vec<PeerAddress>, Vec<String>) {
    let (mut found, mut strange) = (Vec::new(), Vec::new());
    for place in &invitation.introduction.places {
        match address(place, invitation) {
            None => strange.push(format!("the way number {} is not known to this version", place.road)),
            Some(Ok(address)) => found.push(address),
            Some(Err(error)) => strange.push(error.to_string()),
        }
    }
    (found, strange)
}

/// `None` if this version knows no such road.
fn address(place: &Place, invitation: &Invitation) -> Option<Result<PeerAddress, AddressError>> {
    let road = Road::ALL.into_iter().find(|road| place.road_name() == Some(road.name()))?;
    let host = match &place.host {
        Host::Ip(IpAddr::V4(ip)) => ip.to_string(),
        Host::Ip(IpAddr::V6(ip)) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    let address = PeerAddress::new(road, &host, place.port).map(|address| {
        let address = match road {
            Road::Quic => address.with_key(*invitation.key()),
            _ => address.with_node(invitation.introduction.node.clone()),
        };
        if place.is_clear { address.with_clear_only() } else { address }
    });
    // What may be combined is known to who reads addresses.
    Some(address.and_then(|address| address.to_string().parse()))
}

/// Takes the keys in; returns what was not taken, in words. Of whom another key is known already, that one
/// stays, unless the node's name is proof that both are its own.
fn take(ring: &mut Ring, said: &Introduction) -> Result<Vec<String>, RingError> {
    let mut findings = Vec::new();
    let proves = PublicKey::from_node_id(&said.node).is_some();
    for OfferedKey { role, epoch, public } in &said.keys {
        let is_proven = proves && role.is_none();
        let owner = role.clone().map_or_else(|| Owner::Node(said.node.clone()), Owner::Role);
        if !is_proven && ring.current(&owner).is_some_and(|known| known.public != *public) {
            findings.push(format!(
                "another key of {owner} is known here and stays in use; `pannier key add` takes a new one"
            ));
            continue;
        }
        let (epoch, public) = (*epoch, *public);
        ring.add(KeyEntry { owner, epoch, public, secret: None, retired: None })?;
    }
    Ok(findings)
}

impl From<SealingFileError> for OperationError {
    fn from(error: SealingFileError) -> Self {
        match error {
            SealingFileError::Ring(RingError::Full) => Self::Limit("sealing keys"),
            SealingFileError::Ring(conflict @ RingError::Conflict { .. }) => {
                Self::Invalid(conflict.to_string())
            }
            other => Self::Failed(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;

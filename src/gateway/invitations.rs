//! `/api/invitations` and `/api/join`: asking another node in, and following its invitation.

use axum::{Json, body::Body, extract::State, http::StatusCode};
use bundle_spec::invitation::{Invitation, InvitationError};

use super::{
    Shared,
    node_ops::{Introduced, InvitationTerms},
    problem::{Code, Problem},
    views::rfc3339,
    wait,
    wire::{InvitationRequest, InvitationWire, JoinRequest, JoinedWire},
};
use crate::settings::quantity;

/// `POST /api/invitations`: an invitation of this node.
pub(super) async fn invite(
    State(gateway): Shared,
    request: Body,
) -> Result<(StatusCode, Json<InvitationWire>), Problem> {
    let wish: InvitationRequest = wait::json(request).await?;
    let lifetime = wish.lifetime.as_deref().map(quantity::duration).transpose();
    let lifetime = lifetime.map_err(|error| Problem::bad(error.to_string()).parameter("lifetime"))?;
    let made = gateway.node.invite(InvitationTerms { name: wish.name, lifetime }).await?;
    Ok((StatusCode::CREATED, Json(shown(made))))
}

/// `POST /api/join`: dials whom an invitation names from now on.
pub(super) async fn join(State(gateway): Shared, request: Body) -> Result<Json<JoinedWire>, Problem> {
    let wish: JoinRequest = wait::json(request).await?;
    let invitation = wish.invitation.parse::<Invitation>().map_err(unreadable)?;
    let followed = gateway.node.join(invitation, wish.dry_run).await.map_err(|error| {
        let problem = Problem::from(error);
        match problem.code {
            Code::Expired => problem.hint("ask for a new one: `pannier peer invite` on that node"),
            _ => problem,
        }
    })?;
    Ok(Json(JoinedWire { invitation: shown(followed), joined: !wish.dry_run }))
}

fn unreadable(error: InvitationError) -> Problem {
    let hint = match error {
        InvitationError::Version(_) => "install the version of pannier that made it, here or there",
        _ => "copy the line whole, as `pannier peer invite` has printed it",
    };
    Problem::bad(error.to_string()).parameter("invitation").hint(hint)
}

fn shown(introduced: Introduced) -> InvitationWire {
    let Introduced { invitation, addresses, findings } = introduced;
    let said = &invitation.introduction;
    let seals_for = said.keys.iter().map(|key| match &key.role {
        None => "node".to_owned(),
        Some(name) => format!("role {name}"),
    });
    InvitationWire {
        uri: invitation.to_string(),
        node: said.node.to_string(),
        peer_id: invitation.key().peer_id_text(),
        name: said.name.clone(),
        expires_at: (!said.expires.is_unknown()).then(|| rfc3339(said.expires)),
        addresses,
        seals_for: seals_for.collect(),
        findings,
    }
}

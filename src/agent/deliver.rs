//! Delivery (RFC 9171 §5.7) to endpoints of this node, and the echo.

use bundle_spec::Eid;

use super::{
    Agent, EventKind, Output, Retention, endpoints,
    ingress::{Arrival, Origin},
    mint::Draft,
};

impl Agent {
    /// A bundle has reached an endpoint of this node that is not for answers.
    pub(super) fn deliver(&mut self, arrival: Arrival, endpoint: Eid) {
        if endpoints::is_echo(&self.config.node, &endpoint) {
            self.send_back(&arrival, endpoint);
            return;
        }
        let (bundle, payload) = (arrival.header.bundle_id().detached(), arrival.payload);
        self.keep(arrival, None, Retention::Delivered);
        self.tell(EventKind::Delivered { bundle: bundle.clone(), endpoint: endpoint.clone(), payload });
        self.outputs.push_back(Output::Deliver { endpoint, bundle, payload });
    }

    /// The echo: the same payload goes to where it came from, unless that is an echo, too.
    fn send_back(&mut self, arrival: &Arrival, endpoint: Eid) {
        let bundle = arrival.header.bundle_id();
        let (told, payload) = (endpoint.clone(), arrival.payload);
        self.tell(EventKind::Delivered { bundle: bundle.detached(), endpoint: told, payload });
        let back = bundle.source.detached();
        if let Some(node) = back.node_id().filter(|node| !endpoints::is_echo(node, &back)) {
            let draft = Draft {
                source: endpoint,
                destination: back.clone(),
                payload: arrival.payload,
                expires: arrival.expires,
            };
            let header = self.mint(&draft);
            let reply = Arrival {
                header,
                payload: arrival.payload,
                adu: arrival.adu.clone(),
                opened: None,
                expires: arrival.expires,
                origin: Origin::Here,
            };
            match node == self.config.node {
                true => self.deliver(reply, back),
                false => self.keep(reply, None, Retention::ForwardPending),
            }
        }
        self.discard(arrival, "delivered");
    }
}

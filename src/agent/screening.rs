//! What is looked at first when a bundle comes in (RFC 9171 §5.6 step 4, §4.4.3): blocks that this node does
//! not know say themselves what is to be done about that, and hops that were one too many end it.

use bundle_spec::{
    BlockFlags, Header,
    block::{self, BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY, BUNDLE_AGE, Block, HOP_COUNT, PREVIOUS_NODE},
    report::ReasonCode,
};

use super::{Agent, report::Statement};

impl Agent {
    /// The header without what it should lose here.
    ///
    /// | flag of an unknown block | what follows                                        |
    /// |--------------------------|-----------------------------------------------------|
    /// | report                   | a report of reception, "block unsupported"          |
    /// | delete the bundle        | the bundle is deleted, "block unsupported"          |
    /// | discard                  | the block is taken out                              |
    /// | none                     | the block stays                                     |
    ///
    /// # Errors
    /// Why the bundle is deleted, in a word.
    pub(super) fn screen(&mut self, header: Header) -> Result<Header, &'static str> {
        let unknown: Vec<(u64, BlockFlags)> = header
            .blocks()
            .iter()
            .filter(|block| !is_known(block))
            .map(|block| (block.number, block.flags))
            .collect();
        let any = |flag| unknown.iter().any(|(_, flags)| flags.contains(flag));
        if any(BlockFlags::REPORT_UNPROCESSED) {
            self.report_unasked(&header, Statement::Received, ReasonCode::BlockUnsupported);
        }
        if any(BlockFlags::DELETE_BUNDLE_UNPROCESSED) {
            return Err("unsupported-block");
        }
        if header.hop_count().is_some_and(|hops| hops.count > u64::from(hops.limit)) {
            return Err("hop-limit");
        }
        let discarded = unknown.iter().filter(|(_, flags)| flags.contains(BlockFlags::DISCARD_UNPROCESSED));
        Ok(discarded.fold(header, |header, (number, _)| header.without_block(*number).unwrap_or(header)))
    }
}

/// Whether this node knows what the block is for. Security blocks are the business of whoever has their keys.
fn is_known(block: &Block) -> bool {
    matches!(
        block.block_type,
        block::PAYLOAD | PREVIOUS_NODE | BUNDLE_AGE | HOP_COUNT | BLOCK_INTEGRITY | BLOCK_CONFIDENTIALITY
    )
}

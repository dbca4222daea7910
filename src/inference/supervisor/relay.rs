//! Passes the pieces of an answer on, each once, however many attempts make them.
//!
//! Used by the supervisor alone. A second attempt on the same engine makes the same text again.

use crate::inference::Piece;

/// Passes pieces on, but not what an attempt before has passed on already.
pub(super) struct Relay<'a> {
    /// Bytes of text that are known already.
    skip: usize,
    emit: &'a mut (dyn FnMut(Piece) + Send),
}

impl<'a> Relay<'a> {
    /// Leaves the first `skip` bytes of text out.
    pub(super) fn new(skip: usize, emit: &'a mut (dyn FnMut(Piece) + Send)) -> Self {
        Self { skip, emit }
    }

    /// Gives how many bytes of text were passed on.
    pub(super) fn pass(&mut self, piece: Piece) -> usize {
        let Piece::Text(text) = piece else {
            (self.emit)(piece);
            return 0;
        };
        let known = self.skip.min(text.len());
        self.skip -= known;
        let news = text.get(known..).unwrap_or_default().to_owned();
        let passed = news.len();
        if passed > 0 {
            (self.emit)(Piece::Text(news));
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_told_again() {
        let mut told = Vec::new();
        let mut emit = |piece| told.push(piece);
        let mut relay = Relay::new(4, &mut emit);
        let passed: Vec<usize> =
            ["abc", "def", "ghi"].iter().map(|text| relay.pass(Piece::Text((*text).to_owned()))).collect();
        assert_eq!(passed, [0, 2, 3]);
        assert_eq!(told, [Piece::Text("ef".to_owned()), Piece::Text("ghi".to_owned())]);
    }

    #[test]
    fn a_character_that_is_known_in_part_is_left_out() {
        let mut told = Vec::new();
        let mut emit = |piece| told.push(piece);
        let mut relay = Relay::new(1, &mut emit);
        relay.pass(Piece::Text("€".to_owned()));
        relay.pass(Piece::Text("a".to_owned()));
        assert_eq!(told, [Piece::Text("a".to_owned())]);
    }
}

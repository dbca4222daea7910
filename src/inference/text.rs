//! Text as it comes out of an engine: bytes of tokens in, whole characters out, until a stop text.
//!
//! Used by engines that write text. Nothing that might be the beginning of a stop text is shown before it is
//! known not to be one.

/// The text of one answer while it is made.
#[derive(Debug)]
pub struct TextStream {
    stops: Vec<String>,
    /// Bytes of a character that is not complete.
    partial: Vec<u8>,
    /// Text that may be the beginning of a stop text.
    held: String,
    /// Text that was shown.
    shown: String,
    stopped: bool,
}

impl TextStream {
    /// An empty answer that ends before the first of `stops`, none of which is empty.
    #[must_use]
    pub fn new(stops: Vec<String>) -> Self {
        assert!(stops.iter().all(|stop| !stop.is_empty()), "an empty stop text would end every answer");
        Self { stops, partial: Vec::new(), held: String::new(), shown: String::new(), stopped: false }
    }

    /// Takes the bytes of a token; gives the text that can be shown, which may be empty.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        if self.stopped {
            return String::new();
        }
        self.partial.extend_from_slice(bytes);
        let characters = take_characters(&mut self.partial);
        self.held.push_str(&characters);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            self.stopped = true;
            return self.show(at);
        }
        self.show(self.held.len() - self.suspect())
    }

    /// Whether a stop text has come.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Nothing more comes: gives the text that was held back.
    pub fn end(&mut self) -> String {
        if !self.stopped && !self.partial.is_empty() {
            self.partial.clear();
            self.held.push(char::REPLACEMENT_CHARACTER);
        }
        self.stopped = true;
        self.show(self.held.len())
    }

    /// Everything that was shown.
    #[must_use]
    pub fn into_text(self) -> String {
        self.shown
    }

    fn show(&mut self, length: usize) -> String {
        let rest = self.held.split_off(length);
        let text = std::mem::replace(&mut self.held, rest);
        self.shown.push_str(&text);
        text
    }

    /// How many bytes at the end may be the beginning of a stop text.
    fn suspect(&self) -> usize {
        let begins = |stop: &String| {
            let ends = stop.char_indices().map(|(at, _)| at).filter(|at| *at > 0);
            ends.filter(|at| self.held.ends_with(&stop[..*at])).max()
        };
        self.stops.iter().filter_map(begins).max().unwrap_or(0)
    }
}

/// Takes the whole characters off the front; bytes that can never be one become U+FFFD.
fn take_characters(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut taken = 0;
    while taken < bytes.len() {
        match std::str::from_utf8(&bytes[taken..]) {
            Ok(rest) => {
                text.push_str(rest);
                taken = bytes.len();
            }
            Err(error) => {
                let valid = &bytes[taken..taken + error.valid_up_to()];
                text.push_str(std::str::from_utf8(valid).expect("this part has just been found valid"));
                taken += valid.len();
                let Some(wrong) = error.error_len() else { break };
                text.push(char::REPLACEMENT_CHARACTER);
                taken += wrong;
            }
        }
    }
    bytes.drain(..taken);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(stops: &[&str], tokens: &[&[u8]]) -> (Vec<String>, String) {
        let mut stream = TextStream::new(stops.iter().map(ToString::to_string).collect());
        let mut pieces: Vec<String> = tokens.iter().map(|token| stream.push(token)).collect();
        pieces.push(stream.end());
        (pieces, stream.into_text())
    }

    #[test]
    fn a_character_is_shown_when_its_last_byte_has_come() {
        let (pieces, text) = pieces(&[], &[b"a\xe2", b"\x82", b"\xacb"]);
        assert_eq!(pieces, ["a", "", "€b", ""]);
        assert_eq!(text, "a€b");
    }

    #[test]
    fn bytes_that_are_no_character_are_replaced() {
        assert_eq!(pieces(&[], &[b"a\xff\xfeb", b"\xe2\x82"]).1, "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_stop_text_over_several_tokens_is_never_shown() {
        let (pieces, text) = pieces(&["<end>"], &[b"hello <", b"en", b"d> world", b"more"]);
        assert_eq!(pieces, ["hello ", "", "", "", ""]);
        assert_eq!(text, "hello ");
    }

    #[test]
    fn what_only_looked_like_a_stop_text_is_shown_after_all() {
        let (shown, text) = pieces(&["<end>"], &[b"a<en", b"t>", b"<e"]);
        assert_eq!(shown, ["a", "<ent>", "", "<e"]);
        assert_eq!(text, "a<ent><e");
    }

    #[test]
    fn the_first_of_several_stop_texts_counts() {
        assert_eq!(pieces(&["c", "b"], &[b"abc"]).1, "a");
    }

    #[test]
    fn pieces_are_the_text_however_the_bytes_are_cut() {
        bolero::check!().with_type::<(Vec<Vec<u8>>, bool)>().for_each(|(tokens, with_stop)| {
            let stops: &[&str] = if *with_stop { &["ab", "\u{e9}x"] } else { &[] };
            let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
            let (shown, text) = pieces(stops, &tokens);
            assert_eq!(shown.concat(), text);
            let whole = tokens.concat();
            assert_eq!(pieces(stops, &[&whole]).1, text);
            assert!(stops.iter().all(|stop| !text.contains(stop)));
        });
    }
}

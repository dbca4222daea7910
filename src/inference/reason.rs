//! What others gave as a reason, made fit to be quoted in an answer that leaves this machine.
//!
//! Used for the last words of workers and for the logs of engines.

/// Longest quotation, in characters.
const CHARACTERS_MAX: usize = 300;

/// One line of at most 300 characters, without control characters and with the names of files only: where
/// they lie here is nobody's business.
#[must_use]
pub fn quote(reason: &str) -> String {
    let words: Vec<&str> = reason.split_whitespace().map(name_only).collect();
    let characters = words.join(" ");
    characters.chars().filter(|character| !character.is_control()).take(CHARACTERS_MAX).collect()
}

/// A word without the folders of the path in it: `'/a/b.c:7:` becomes `b.c:7:`.
fn name_only(word: &str) -> &str {
    let bare = word.trim_start_matches(['\'', '"', '`', '(']);
    if !bare.starts_with('/') {
        return word;
    }
    bare.rsplit('/').find(|name| !name.is_empty()).unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_left_out() {
        assert_eq!(
            quote("/srv/x/model.cpp:1330: ASSERT(a / b) failed"),
            "model.cpp:1330: ASSERT(a / b) failed"
        );
        assert_eq!(quote("cannot open '/tmp/y/model.gguf'"), "cannot open model.gguf'");
        assert_eq!(quote("/"), "/");
    }

    #[test]
    fn any_reason_is_one_short_line() {
        bolero::check!().with_type::<String>().for_each(|reason| {
            let quotation = quote(reason);
            assert!(quotation.chars().count() <= CHARACTERS_MAX);
            assert!(!quotation.contains(char::is_control));
        });
    }
}

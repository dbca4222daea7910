//! A command as it was typed, and as it is run for one bundle. Words are split before anything of a bundle is
//! put in, and no shell is asked: what a bundle says cannot become a word or a command of its own.

/// Why something is not a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WordsError {
    /// There is nothing.
    #[error("the command is empty")]
    Empty,
    /// A quotation mark without its other.
    #[error("the command has a `{0}` without its other")]
    Quote(char),
    /// A percent sign before something else.
    #[error("`%{0}` is none of `%s`, `%d`, `%i`, `%n`, `%f`; a percent sign is `%%`")]
    Placeholder(char),
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    program: String,
    rest: Vec<String>,
    /// Whether it says itself where the facts go.
    has_places: bool,
}

/// What is known of a bundle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) source: &'a str,
    pub(super) destination: &'a str,
    pub(super) id: &'a str,
    pub(super) len: u64,
    pub(super) file: &'a str,
}

impl Words {
    /// Reads a command: words separated by blanks, where quotation marks keep blanks together.
    ///
    /// # Errors
    /// See [`WordsError`].
    pub(super) fn read(typed: &str) -> Result<Self, WordsError> {
        let mut words = split(typed)?;
        if words.first().is_none_or(String::is_empty) {
            return Err(WordsError::Empty);
        }
        let program = words.remove(0);
        let mut has_places = false;
        for word in &words {
            let mut rest = word.as_str();
            while let Some((_, behind)) = rest.split_once('%') {
                let place = behind.chars().next().unwrap_or(' ');
                if !"sdinf%".contains(place) {
                    return Err(WordsError::Placeholder(place));
                }
                has_places |= place != '%';
                rest = &behind[1..];
            }
        }
        Ok(Self { program, rest: words, has_places })
    }

    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// The arguments for one bundle.
    pub(super) fn arguments(&self, facts: &Facts<'_>) -> Vec<String> {
        let mut arguments: Vec<String> = self.rest.iter().map(|word| facts.put_into(word)).collect();
        if !self.has_places {
            arguments.extend([facts.source.to_owned(), facts.file.to_owned()]);
        }
        arguments
    }
}

impl Facts<'_> {
    /// The environment of the command.
    pub(super) fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("BUNDLE_SOURCE", self.source.to_owned()),
            ("BUNDLE_DESTINATION", self.destination.to_owned()),
            ("BUNDLE_ID", self.id.to_owned()),
            ("BUNDLE_BYTES", self.len.to_string()),
            ("BUNDLE_FILE", self.file.to_owned()),
        ]
    }

    fn put_into(&self, word: &str) -> String {
        let mut out = String::new();
        let mut characters = word.chars();
        while let Some(character) = characters.next() {
            match (character, character == '%') {
                (_, true) => match characters.next() {
                    Some('s') => out.push_str(self.source),
                    Some('d') => out.push_str(self.destination),
                    Some('i') => out.push_str(self.id),
                    Some('n') => out.push_str(&self.len.to_string()),
                    Some('f') => out.push_str(self.file),
                    Some(other) => out.push(other),
                    None => {}
                },
                (plain, false) => out.push(plain),
            }
        }
        out
    }
}

fn split(typed: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in typed.chars() {
        match quote {
            Some(mark) if character == mark => quote = None,
            Some(_) => word.get_or_insert_default().push(character),
            None if matches!(character, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    match quote {
        Some(mark) => Err(WordsError::Quote(mark)),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts<'_> =
        Facts { source: "dtn://a/$(x) y", destination: "dtn://b/in", id: "i", len: 7, file: "/t/f" };

    fn run(typed: &str) -> Vec<String> {
        let words = Words::read(typed).unwrap();
        [vec![words.program().to_owned()], words.arguments(&FACTS)].concat()
    }

    #[test]
    fn source_and_file_come_last_unless_they_have_a_place() {
        assert_eq!(run("./print.sh"), ["./print.sh", "dtn://a/$(x) y", "/t/f"]);
        assert_eq!(run("cp -v %f out/%i.%n"), ["cp", "-v", "/t/f", "out/i.7"]);
        assert_eq!(run("x 100%%"), ["x", "100%", "dtn://a/$(x) y", "/t/f"]);
        assert_eq!(run("x %d %s"), ["x", "dtn://b/in", "dtn://a/$(x) y"]);
    }

    #[test]
    fn quotation_marks_keep_blanks_together() {
        assert_eq!(run("sh -c 'cat \"$BUNDLE_FILE\"' %i"), ["sh", "-c", "cat \"$BUNDLE_FILE\"", "i"]);
        assert_eq!(run("'my program' \"\" %f"), ["my program", "", "/t/f"]);
    }

    #[test]
    fn nothing_that_is_typed_makes_reading_a_command_panic() {
        bolero::check!().with_iterations(1000).with_type::<String>().for_each(|typed| {
            if let Ok(words) = Words::read(typed) {
                assert!(!words.program().is_empty());
                assert!(words.arguments(&FACTS).len() >= words.rest.len());
            }
        });
    }

    #[test]
    fn what_is_no_command_says_why() {
        assert_eq!(Words::read("  "), Err(WordsError::Empty));
        assert_eq!(Words::read("'' x"), Err(WordsError::Empty));
        assert_eq!(Words::read("sh 'x"), Err(WordsError::Quote('\'')));
        assert_eq!(Words::read("x %q"), Err(WordsError::Placeholder('q')));
        assert_eq!(Words::read("x %"), Err(WordsError::Placeholder(' ')));
    }
}

//! A QR code (ISO/IEC 18004) of a text that means the same in capitals, for terminals and as a PNG. Draws,
//! prints nothing.

mod png;

use qrcode::{Color, EcLevel, QrCode};

/// The white frame around a code, in modules.
const QUIET: usize = 4;
/// Widest code, with its frame, that a terminal shows: wider ones do with less redundancy.
const COLUMNS: usize = 80;
/// Blocks in white on black, where there is colour: what is drawn is the light.
const LIGHT: &str = "\u{1b}[97;40m";
const PLAIN: &str = "\u{1b}[0m";

/// A square of modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    side: usize,
    modules: Vec<Color>,
}

impl Code {
    /// The code of `text` in capitals, which takes half the room; `None` if it is too long for any.
    pub(super) fn of(text: &str) -> Option<Self> {
        let capitals = text.to_uppercase();
        let encode = |level| {
            let code = QrCode::with_error_correction_level(&capitals, level).ok()?;
            Some(Self { side: code.width(), modules: code.to_colors() })
        };
        encode(EcLevel::M).filter(|code| code.columns() <= COLUMNS).or_else(|| encode(EcLevel::L))
    }

    /// Its width with the frame, in columns of a terminal.
    pub(super) fn columns(&self) -> usize {
        self.side + 2 * QUIET
    }

    /// Two rows a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let rows = (0..self.columns()).step_by(2);
        rows.map(|row| {
            let blocks = (0..self.columns()).map(|column| {
                match (self.is_light(column, row), self.is_light(column, row + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                }
            });
            format!("{LIGHT}{}{PLAIN}", blocks.collect::<String>())
        })
        .collect()
    }

    /// A picture in black and white.
    pub(super) fn png(&self) -> Vec<u8> {
        png::picture(self.columns(), |column, row| self.is_light(column, row))
    }

    /// Whether a module is light; outside the code all are, up to the end of the frame.
    fn is_light(&self, column: usize, row: usize) -> bool {
        if row >= self.columns() {
            return false;
        }
        let within = |at: usize| at.checked_sub(QUIET).filter(|at| *at < self.side);
        match (within(column), within(row)) {
            (Some(column), Some(row)) => self.modules[row * self.side + column] == Color::Light,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_text_that_people_pass_on_fits_a_terminal() {
        let code = Code::of(&format!("pannier:b{}", "abc7".repeat(110))).unwrap();
        assert!(code.columns() <= COLUMNS, "{}", code.columns());
        let lines = code.lines();
        assert_eq!(lines.len(), code.columns().div_ceil(2));
        let bare = |line: &str| line.replace(LIGHT, "").replace(PLAIN, "");
        assert!(lines.iter().all(|line| bare(line).chars().count() == code.columns()));
        assert_eq!(bare(&lines[0]), "█".repeat(code.columns()), "the frame is light");
        // The upper left finder: a dark ring of seven modules.
        let row: String = bare(&lines[2]).chars().skip(QUIET).take(8).collect();
        assert_eq!(row, " ▄▄▄▄▄ █");
    }

    #[test]
    fn capitals_take_less_room() {
        let text = format!("pannier:b{}", "abc7".repeat(60));
        let as_typed = QrCode::with_error_correction_level(&text, EcLevel::M).unwrap();
        assert!(Code::of(&text).unwrap().side < as_typed.width());
    }

    #[test]
    fn what_is_too_long_for_any_code_has_none() {
        assert_eq!(Code::of(&"A".repeat(4297)), None);
    }
}

//! What a run found, one cell each, and the table that shows it.

use std::{fmt, fs, path::Path};

use crate::field::FieldError;

/// Where the table stands in the README.
const START: &str = "<!-- interop -->";
const END: &str = "<!-- /interop -->";

/// How a cell came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be; with a figure or a word about it.
    Good(String),
    /// The peer's own documented fault, with what it is.
    Fault(String),
    /// The peer is not on this machine, with why.
    Absent(String),
    /// Not as it must be.
    Bad(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(remark) if remark.is_empty() => write!(formatter, "🟩"),
            Self::Good(remark) => write!(formatter, "🟩 {remark}"),
            Self::Fault(reason) => write!(formatter, "🟦 {reason}"),
            Self::Absent(reason) => write!(formatter, "⬜ {reason}"),
            Self::Bad(reason) => write!(formatter, "🟥 {reason}"),
        }
    }
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The peer and its version.
    pub peer: &'static str,
    /// Over which road, or roads.
    pub road: String,
    /// What was tried.
    pub what: String,
    /// How it came out.
    pub outcome: Outcome,
    /// Whether we had no part in it.
    is_control: bool,
}

/// All cells of a run.
#[derive(Default)]
pub struct Table {
    cells: Vec<Cell>,
    /// Whether cells are added in which we have no part.
    pub is_control: bool,
}

impl Table {
    /// Adds a cell and shows it at once.
    pub fn add(&mut self, peer: &'static str, road: impl fmt::Display, what: &str, outcome: Outcome) {
        let (road, what) = (road.to_string(), what.to_owned());
        let cell = Cell { peer, road, what, outcome, is_control: self.is_control };
        println!("{}", row(&cell));
        self.cells.push(cell);
    }

    /// How many cells are not as they must be.
    pub fn bad(&self) -> usize {
        self.cells.iter().filter(|cell| matches!(cell.outcome, Outcome::Bad(_))).count()
    }

    /// A row for each peer and road, in Markdown.
    fn summary(&self) -> String {
        let mut text =
            "| peer | road | as it must be | the peer's own faults |\n|---|---|---|---|\n".to_owned();
        let ours: Vec<&Cell> = self.cells.iter().filter(|cell| !cell.is_control).collect();
        for group in ours.chunk_by(|one, next| (one.peer, &one.road) == (next.peer, &next.road)) {
            let (mut good, mut rest) = (Vec::<(&str, Vec<&str>)>::new(), Vec::new());
            for cell in group {
                let (what, detail) = cell.what.split_once(", ").unwrap_or((&cell.what, ""));
                let known = good.iter_mut().find(|(known, _)| *known == what);
                match (&cell.outcome, known) {
                    (Outcome::Good(_), Some((_, details))) => details.push(detail),
                    (Outcome::Good(_), _) => good.push((what, vec![detail])),
                    (Outcome::Bad(_), _) => rest.push(format!("{}: **failed**", cell.what)),
                    (Outcome::Fault(reason) | Outcome::Absent(reason), _) => {
                        rest.push(format!("{}: {reason}", cell.what));
                    }
                }
            }
            let good = good.iter().map(|(what, details)| match details.as_slice() {
                [""] => (*what).to_owned(),
                details => format!("{what} ({})", details.join(", ")),
            });
            let good = good.collect::<Vec<_>>().join("; ");
            text.push_str(&format!(
                "| {} | {} | {good} | {} |\n",
                group[0].peer,
                group[0].road,
                rest.join("; ")
            ));
        }
        text
    }

    /// Writes a summary between its markers in a document.
    ///
    /// # Errors
    /// If the document has no such markers.
    pub fn write_into(&self, path: &Path) -> Result<(), FieldError> {
        let text = fs::read_to_string(path)?;
        let marks = text.find(START).map(|at| at + START.len()).zip(text.find(END));
        let Some((start, end)) = marks.filter(|(start, end)| start <= end) else {
            let problem =
                format!("{} has no `{START}` … `{END}`; put them where the table goes", path.display());
            return Err(FieldError::Broken(problem));
        };
        fs::write(path, format!("{}\n{}{}", &text[..start], self.summary(), &text[end..]))?;
        Ok(())
    }
}

/// The head of the table.
pub fn head() -> String {
    "| peer | road | what | result |\n|---|---|---|---|\n".to_owned()
}

fn row(cell: &Cell) -> String {
    let outcome = cell.outcome.to_string().replace('|', "/").replace('\n', " ");
    format!("| {} | {} | {} | {outcome} |", cell.peer, cell.road, cell.what)
}

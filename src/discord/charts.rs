//! Charts of results: the ones that people ask for, and their pictures.

use chart::{Choice, Drawing, Frame, Kind, NoChart};

use crate::runtime::Rows;

/// A chart that a person wants to have with a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedChart {
    /// The one that fits the columns best.
    Best,
    /// The best one of a kind.
    Kind(Kind),
    /// Entry of the menu under a picture.
    Choice(Choice),
}

/// A chart that was drawn.
#[derive(Clone)]
pub(super) struct Picture {
    pub drawing: Drawing,
    pub png: Vec<u8>,
    pub choice: Choice,
    /// Other choices for the same rows with their labels, among them `choice`.
    pub choices: Vec<(Choice, String)>,
}

impl WantedChart {
    /// Names as people type them.
    pub const NAMES: &[&str] = &[
        AUTO,
        Kind::Line.name(),
        Kind::Bars.name(),
        Kind::Scatter.name(),
        Kind::Number.name(),
    ];

    /// Finds a chart by its name, in upper or lower case.
    pub fn find(name: &str) -> Option<Self> {
        if name.trim().eq_ignore_ascii_case(AUTO) {
            return Some(Self::Best);
        }
        Kind::find(name).map(Self::Kind)
    }

    /// Name as people type it. A choice has only the one of its kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Best => AUTO,
            Self::Kind(kind) => kind.name(),
            Self::Choice(choice) => choice.kind.name(),
        }
    }
}

/// Reason why a result has no picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChartError {
    /// No chart shows these rows.
    NoChart(NoChart),
    /// Drawing failed. The log has the cause with this reference.
    Failed { reference: String },
}

const AUTO: &str = "auto";

/// Returns true if some chart shows these rows.
pub(super) fn can_draw(rows: &Rows) -> bool {
    frame(rows).has_choices()
}

/// Draws a chart. It takes up to a tenth of a second of processor time.
///
/// # Errors
/// If the chart can't show these rows.
pub(super) fn draw(rows: &Rows, wanted: &WantedChart) -> Result<Picture, NoChart> {
    let frame = frame(rows);
    let choice = match wanted {
        WantedChart::Best => frame.suggest()?,
        WantedChart::Kind(kind) => frame.suggest_kind(*kind)?,
        WantedChart::Choice(choice) => choice.clone(),
    };
    let drawing = frame.draw(&choice)?;
    let labelled = |it: Choice| {
        let label = frame.label(&it);
        (it, label)
    };
    Ok(Picture {
        png: chart::png(&drawing.svg),
        drawing,
        choices: frame.choices().into_iter().map(labelled).collect(),
        choice,
    })
}

fn frame(rows: &Rows) -> Frame<'_> {
    let columns = rows.columns.iter();
    let frame = Frame::new(
        columns.map(|column| (column.name.as_str(), column.kind.as_str())),
        &rows.rows,
    );
    if rows.more || rows.rows.len() < rows.count() {
        frame.as_part()
    } else {
        frame
    }
}

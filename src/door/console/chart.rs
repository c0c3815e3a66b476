//! Charts of results, by the renderer of the chat.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use chart::{Choice, Drawing, Frame, Kind, NoChart, Note};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{
    answer::{AnswerPermit, Reply},
    chart_points::{MAX_CHART_ROWS, MAX_SERIES, MAX_VALUE_CHARS, Points, points},
    client::{ANSWER_PERMITS, MAX_ANSWER_BYTES, ReadError},
    problem::Problem,
    results::StoredResult,
    state::Console,
};
use crate::door::decode::Table;

/// Maximum number of rows, and about as many values, from which a chart is chosen.
const MAX_CHOICE_ROWS: u64 = 5000;
const MAX_CHOICE_VALUES: u64 = 50_000;

#[derive(Deserialize)]
pub(super) struct ChartInput {
    result: String,
    choice: Option<ChoiceJson>,
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Svg,
    Png,
}

/// A [`Choice`], as the page writes it.
#[derive(Serialize, Deserialize)]
struct ChoiceJson {
    kind: String,
    along: Option<usize>,
    numbers: Vec<usize>,
    series: Option<usize>,
}

impl From<Choice> for ChoiceJson {
    fn from(choice: Choice) -> Self {
        Self {
            kind: choice.kind.name().to_owned(),
            along: choice.along,
            numbers: choice.numbers,
            series: choice.series,
        }
    }
}

impl ChoiceJson {
    fn read(self) -> Option<Choice> {
        Some(Choice {
            kind: Kind::find(&self.kind)?,
            along: self.along,
            numbers: self.numbers,
            series: self.series,
        })
    }
}

type OwnedRows = Vec<Vec<Option<String>>>;

impl Console {
    /// Draws a chart of a result: the one that fits best, or a chosen one.
    pub(super) async fn chart(&self, input: ChartInput) -> Result<Reply, Problem> {
        let result = self.results.find(&input.result).ok_or_else(Problem::gone)?;
        let wanted = match input.choice.map(ChoiceJson::read) {
            Some(None) => return Err(Problem::invalid("there is no such kind of chart")),
            wanted => wanted.flatten(),
        };
        let width = u64::try_from(result.columns.len())
            .unwrap_or(u64::MAX)
            .max(1);
        let rows = (MAX_CHOICE_VALUES / width).clamp(50, MAX_CHOICE_ROWS);
        let page = result.page_sql(0, rows, None).unwrap_or_default();
        let sql = format!("SELECT left(COLUMNS(*)::VARCHAR, {MAX_VALUE_CHARS}) FROM ({page})");
        let (sample, permit) = self.chart_rows(&result, &sql).await?;
        let columns = result.columns.iter();
        let columns: Vec<_> = columns
            .map(|it| (it.name.clone(), it.kind.clone()))
            .collect();
        let frame = frame(&columns, &sample);
        let choice = match wanted.map_or_else(|| frame.suggest(), Ok) {
            Ok(choice) => choice,
            Err(why) => return Ok(no_chart(why)),
        };
        let choices = frame.choices().into_iter();
        let choices: Vec<_> = choices.map(|it| (it.clone(), frame.label(&it))).collect();
        let needed = choice
            .along
            .iter()
            .chain(&choice.numbers)
            .chain(&choice.series);
        if needed.max().is_some_and(|it| *it >= result.columns.len()) {
            return Ok(no_chart(NoChart::UnknownColumn));
        }
        drop((sample, permit));
        let Points {
            sql,
            columns,
            choice: own,
            notes: made_fewer,
        } = points(&result, &choice);
        // Rows and a drawing take as much memory as all answers may.
        let (mut rows, mut permit) = self.chart_rows(&result, &sql).await?;
        let lacks = lacking(&rows, &own);
        rows.truncate(MAX_CHART_ROWS);
        let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let is_png = input.format == Format::Png;
        let drawn = spawn_blocking(move || draw(&columns, &rows, &own, is_png));
        let (drawing, png) = match drawn.await.map_err(|_| Problem::no_drawing())? {
            Ok(drawn) => drawn,
            Err(why) => return Ok(no_chart(why)),
        };
        let mut notes: Vec<_> = drawing.notes.iter().map(ToString::to_string).collect();
        if shown < result.rows {
            // The drawing knows only the rows that DuckDB has made of them.
            let is_other = |it: &&Note| {
                let is_about_rows =
                    matches!(it, Note::Averaged(_) | Note::Extremes(_) | Note::Thinned(_));
                !is_about_rows && !made_fewer.contains(*it)
            };
            let others = drawing.notes.iter().filter(is_other);
            notes = made_fewer
                .iter()
                .chain(others)
                .map(ToString::to_string)
                .collect();
            if made_fewer.is_empty() {
                notes.insert(0, format!("The chart shows the first {shown} rows."));
            }
            notes.extend(lacks);
        }
        let labelled =
            |(choice, label)| json!({ "choice": ChoiceJson::from(choice), "label": label });
        let choices: Vec<_> = choices.into_iter().map(labelled).collect();
        let mut reply = json!({
            "alt": drawing.alt, "notes": notes, "choice": ChoiceJson::from(choice), "choices": choices,
        });
        match png {
            Some(png) => reply["png"] = STANDARD.encode(png).into(),
            None => reply["svg"] = drawing.svg.into(),
        }
        let json = reply.to_string().into_bytes();
        let permit = permit.split(1).ok_or_else(Problem::too_many_answers)?;
        Ok(Reply::large(json, permit))
    }

    /// Reads the rows of a chart.
    async fn chart_rows(
        &self,
        result: &StoredResult,
        sql: &str,
    ) -> Result<(OwnedRows, AnswerPermit), Problem> {
        let read = |table: &Table<'_>| {
            let value = |row, column| table.value(row, column).map(ToOwned::to_owned);
            let row = |row| (0..table.columns.len()).map(|it| value(row, it)).collect();
            (0..table.rows()).map(row).collect()
        };
        match self.client.read(sql, ANSWER_PERMITS, read).await {
            Ok(read) => Ok(read),
            Err(ReadError::TooLarge) => {
                let most = ANSWER_PERMITS * MAX_ANSWER_BYTES;
                Err(Problem::too_large("The rows of a chart", most))
            }
            Err(ReadError::Problem(problem)) => Err(self.explain(result, problem)),
        }
    }
}

/// Returns a sentence about the bars or lines that even the fewer rows leave out.
fn lacking(rows: &OwnedRows, choice: &Choice) -> Option<String> {
    match (choice.kind, choice.series) {
        (Kind::Bars, _) if rows.len() > MAX_CHART_ROWS => Some(format!(
            "The chart and its last bar know only the {MAX_CHART_ROWS} largest bars."
        )),
        (Kind::Line, Some(series)) => {
            let names: HashSet<_> = rows.iter().map(|row| &row[series]).collect();
            (names.len() > MAX_SERIES).then(|| {
                format!(
                    "There are more than {MAX_SERIES} lines. The chart knows only the largest ones."
                )
            })
        }
        _ => None,
    }
}

fn no_chart(why: NoChart) -> Reply {
    Reply::of(&json!({ "why": format!("There is no chart, because {why}.") }))
}

fn frame<'a>(columns: &'a [(String, String)], rows: &'a [Vec<Option<String>>]) -> Frame<'a> {
    let columns = columns.iter();
    Frame::new(
        columns.map(|(name, kind)| (name.as_str(), kind.as_str())),
        rows,
    )
}

fn draw(
    columns: &[(String, String)],
    rows: &OwnedRows,
    choice: &Choice,
    is_png: bool,
) -> Result<(Drawing, Option<Vec<u8>>), NoChart> {
    let drawing = frame(columns, rows).draw(choice)?;
    let png = is_png.then(|| chart::png(&drawing.svg));
    Ok((drawing, png))
}

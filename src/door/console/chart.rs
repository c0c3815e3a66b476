//! Charts of results, by the renderer of the chat.

use base64::{Engine, engine::general_purpose::STANDARD};
use chart::{Choice, Drawing, Frame, Kind, NoChart};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{
    answer::Reply,
    client::{ANSWER_PERMITS, MAX_ANSWER_BYTES, ReadError},
    decode::Table,
    problem::Problem,
    results::StoredResult,
    state::Console,
};
use crate::duckdb::names::identifier;

/// Maximum number of rows of a chart. It has fewer points.
const MAX_CHART_ROWS: u64 = 50_000;
/// Maximum number of rows, and about as many values, from which a chart is chosen.
const MAX_CHOICE_ROWS: u64 = 5000;
const MAX_CHOICE_VALUES: u64 = 50_000;
/// Maximum length of a value in a chart, in characters.
const MAX_VALUE_CHARS: usize = 100;

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

/// A chart that was drawn, and the other ones for the same rows with their labels.
struct Picture {
    drawing: Drawing,
    png: Option<Vec<u8>>,
    choices: Vec<(Choice, String)>,
}

impl Console {
    /// Draws a chart of a result: the one that fits best, or a chosen one.
    pub(super) async fn chart(&self, input: ChartInput) -> Result<Reply, Problem> {
        let result = self.results.find(&input.result).ok_or_else(Problem::gone)?;
        let wanted = match input.choice.map(ChoiceJson::read) {
            Some(None) => return Err(Problem::invalid("there is no such kind of chart")),
            wanted => wanted.flatten(),
        };
        // A drawing takes as much memory as all answers may. Each permit is needed once for the whole call.
        let width = u64::try_from(result.columns.len())
            .unwrap_or(u64::MAX)
            .max(1);
        let rows = (MAX_CHOICE_VALUES / width).clamp(50, MAX_CHOICE_ROWS);
        let all: Vec<usize> = (0..result.columns.len()).collect();
        let sample = self.chart_rows(&result, &all, rows).await?;
        let frame = frame(&result, &all, &sample);
        let choice = match wanted.map_or_else(|| frame.suggest(), Ok) {
            Ok(choice) => choice,
            Err(why) => return Ok(no_chart(why)),
        };
        let choices = frame.choices().into_iter();
        let choices = choices.map(|it| (it.clone(), frame.label(&it))).collect();
        let (columns, own) = narrow(&choice);
        if columns.iter().any(|it| *it >= result.columns.len()) {
            return Ok(no_chart(NoChart::UnknownColumn));
        }
        drop(sample);
        let rows = self.chart_rows(&result, &columns, MAX_CHART_ROWS).await?;
        let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let _permit = self.client.answer_permit(ANSWER_PERMITS).await?;
        let is_png = input.format == Format::Png;
        let drawn = spawn_blocking({
            let result = result.clone();
            move || draw(&result, &columns, &rows, &own, choices, is_png)
        });
        let picture = match drawn.await.map_err(|_| Problem::no_drawing())? {
            Ok(picture) => picture,
            Err(why) => return Ok(no_chart(why)),
        };
        let mut notes: Vec<_> = picture
            .drawing
            .notes
            .iter()
            .map(ToString::to_string)
            .collect();
        if shown < result.rows {
            notes.insert(0, format!("The chart shows the first {shown} rows."));
        }
        let labelled =
            |(choice, label)| json!({ "choice": ChoiceJson::from(choice), "label": label });
        let choices: Vec<_> = picture.choices.into_iter().map(labelled).collect();
        let mut reply = json!({
            "alt": picture.drawing.alt, "notes": notes, "choice": ChoiceJson::from(choice),
            "choices": choices,
        });
        match picture.png {
            Some(png) => reply["png"] = STANDARD.encode(png).into(),
            None => reply["svg"] = picture.drawing.svg.into(),
        }
        Ok(Reply::of(&reply))
    }

    /// Reads the first rows of some columns.
    async fn chart_rows(
        &self,
        result: &StoredResult,
        columns: &[usize],
        most: u64,
    ) -> Result<OwnedRows, Problem> {
        let columns = columns.iter().filter_map(|it| result.columns.get(*it));
        let values = columns.map(|column| {
            let name = identifier(&column.name);
            format!("left({name}::VARCHAR, {MAX_VALUE_CHARS})")
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let page = result
            .page_sql(0, most.min(result.rows), None)
            .unwrap_or_default();
        let sql = format!("SELECT {values} FROM ({page})");
        let read = |table: &Table<'_>| {
            let value = |row, column| table.value(row, column).map(ToOwned::to_owned);
            let row = |row| (0..table.columns.len()).map(|it| value(row, it)).collect();
            (0..table.rows()).map(row).collect()
        };
        match self.client.read(&sql, ANSWER_PERMITS, read).await {
            Ok((rows, _)) => Ok(rows),
            Err(ReadError::TooLarge) => {
                let most = ANSWER_PERMITS * MAX_ANSWER_BYTES;
                Err(Problem::too_large("The rows of a chart", most))
            }
            Err(ReadError::Problem(problem)) => Err(self.explain(result, problem)),
        }
    }
}

fn no_chart(why: NoChart) -> Reply {
    Reply::of(&json!({ "why": format!("There is no chart, because {why}.") }))
}

/// Returns the columns that a choice needs, and the choice for a frame of only these.
fn narrow(choice: &Choice) -> (Vec<usize>, Choice) {
    let all = choice
        .along
        .iter()
        .chain(&choice.numbers)
        .chain(&choice.series);
    let mut columns: Vec<usize> = all.copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let place = |column: &usize| columns.binary_search(column).unwrap_or_default();
    let own = Choice {
        kind: choice.kind,
        along: choice.along.as_ref().map(place),
        numbers: choice.numbers.iter().map(place).collect(),
        series: choice.series.as_ref().map(place),
    };
    (columns, own)
}

fn frame<'a>(
    result: &'a StoredResult,
    columns: &[usize],
    rows: &'a [Vec<Option<String>>],
) -> Frame<'a> {
    let columns = columns.iter().map(|it| &result.columns[*it]);
    let columns = columns.map(|column| (column.name.as_str(), column.kind.as_str()));
    Frame::new(columns, rows)
}

fn draw(
    result: &StoredResult,
    columns: &[usize],
    rows: &OwnedRows,
    choice: &Choice,
    choices: Vec<(Choice, String)>,
    is_png: bool,
) -> Result<Picture, NoChart> {
    let drawing = frame(result, columns, rows).draw(choice)?;
    Ok(Picture {
        png: is_png.then(|| chart::png(&drawing.svg)),
        drawing,
        choices,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_reads_only_the_columns_that_it_shows() {
        let choice: Choice = "line.7.2+9.4".parse().expect("a choice");
        let (columns, own) = narrow(&choice);
        assert_eq!(columns, [2, 4, 7, 9]);
        assert_eq!(own.to_string(), "line.2.0+3.1");
    }
}

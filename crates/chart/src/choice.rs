//! Kind and columns of a chart: the first choice for a frame, and the others.

use std::{cmp::Ordering, collections::BTreeSet, fmt, str::FromStr};

use crate::{
    frame::{Frame, Holds},
    kind::Kind,
    no_chart::NoChart,
    text::{cleaned, fitted_chars},
};

/// Kind and columns of a chart. As text, it is like `line.0.2+3.1`: the kind, the column along the chart, those
/// with the numbers, and the one with the series. `-` stands for no column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub kind: Kind,
    /// Column along the chart: times, numbers or categories. `None`: the order of the rows.
    pub along: Option<usize>,
    /// Columns with the numbers. Only a line has several.
    pub numbers: Vec<usize>,
    /// Column whose categories are series of a line.
    pub series: Option<usize>,
}

/// Largest number of lines for columns with numbers, which is also the number of colors.
const MAX_LINES: usize = 7;
/// Largest number of columns of each sort that are considered.
const MAX_COLUMNS: usize = 12;
/// Most choices that are offered, as in a select menu of Discord.
const MAX_CHOICES: usize = 25;
/// Maximum length of a column's name in a label.
const MAX_NAME_CHARS: usize = 24;

impl fmt::Display for Choice {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = |it: Option<usize>| it.map_or("-".to_owned(), |it| it.to_string());
        let numbers: Vec<_> = self.numbers.iter().map(usize::to_string).collect();
        let (along, series) = (column(self.along), column(self.series));
        let kind = self.kind.name();
        write!(to, "{kind}.{along}.{}.{series}", numbers.join("+"))
    }
}

impl FromStr for Choice {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<_> = text.split('.').collect();
        let [kind, along, numbers, series] = parts[..] else {
            return Err(());
        };
        let number = |it: &str| it.parse().map_err(|_| ());
        let column = |it: &str| match it {
            "-" => Ok(None),
            it => number(it).map(Some),
        };
        Ok(Self {
            kind: Kind::find(kind).ok_or(())?,
            along: column(along)?,
            numbers: numbers.split('+').map(number).collect::<Result<_, _>>()?,
            series: column(series)?,
        })
    }
}

impl Frame<'_> {
    /// Chooses a chart for the columns: a line over times, bars for categories, a scatter chart of two numbers, or
    /// one number in large.
    ///
    /// # Errors
    /// If no chart shows these rows.
    pub fn suggest(&self) -> Result<Choice, NoChart> {
        self.first(|_| true).ok_or(self.reason())
    }

    /// Returns true if [`Self::suggest`] finds a chart. It does not look at the values.
    pub fn has_choices(&self) -> bool {
        !self.rows.is_empty() && self.columns_of(Holds::Numbers).next().is_some()
    }

    /// Chooses a chart of this kind.
    ///
    /// # Errors
    /// If no chart of this kind shows these rows.
    pub fn suggest_kind(&self, kind: Kind) -> Result<Choice, NoChart> {
        let first = self.first(|it| it.kind == kind);
        let reason = if self.has_choices() {
            NoChart::Unsuitable(kind)
        } else {
            self.reason()
        };
        first.ok_or(reason)
    }

    fn first(&self, is_wanted: impl Fn(&Choice) -> bool) -> Option<Choice> {
        self.all_choices().into_iter().find(is_wanted)
    }

    /// Reason why there are no choices.
    fn reason(&self) -> NoChart {
        if self.rows.is_empty() {
            NoChart::NoRows
        } else {
            NoChart::NoNumbers
        }
    }

    /// Returns the choices for these columns, the best one first.
    pub fn choices(&self) -> Vec<Choice> {
        let mut all = self.all_choices();
        all.truncate(MAX_CHOICES);
        all
    }

    fn all_choices(&self) -> Vec<Choice> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        // More columns would give more choices than a menu has.
        let columns = |holds| self.columns_of(holds).take(MAX_COLUMNS).collect::<Vec<_>>();
        let [numbers, times, categories] =
            [Holds::Numbers, Holds::Times, Holds::Categories].map(columns);
        let choice = |kind, along, numbers: &[usize], series| Choice {
            kind,
            along,
            numbers: numbers.to_vec(),
            series,
        };
        let of_each = |kind, along, series| {
            let each = numbers.iter();
            each.map(move |it| choice(kind, along, &[*it], series))
        };
        let numbers = &numbers;
        // A single row has no course.
        let is_figure = self.rows.len() == 1;
        let firsts = if is_figure { 0 } else { numbers.len() };
        let pairs = |kind, wanted: fn(&Self, usize) -> bool| {
            let firsts = numbers.iter().enumerate().take(firsts);
            let firsts = firsts.filter(move |(_, x)| wanted(self, **x));
            firsts.flat_map(move |(at, x)| {
                let others = numbers[at + 1..].iter();
                others.map(move |y| choice(kind, Some(*x), &[*y], None))
            })
        };
        let figures = numbers.iter().enumerate().map(|(at, it)| {
            let second = numbers.get(at + 1);
            let second = second.filter(|_| is_figure && numbers.len() == 2);
            let both: Vec<_> = [it].into_iter().chain(second).copied().collect();
            choice(Kind::Number, None, &both, None)
        });
        let mut all = Vec::new();
        if is_figure {
            all.extend(figures.clone());
        }
        // A category that names each row once has no course over time.
        let (names, groups): (Vec<usize>, Vec<usize>) =
            categories.into_iter().partition(|it| self.names_rows(*it));
        let bars = |along: &[usize]| {
            let each = along.iter();
            let bars = each.flat_map(|it| of_each(Kind::Bars, Some(*it), None));
            bars.collect::<Vec<_>>()
        };
        // A name for each of regular times, such as its weekday, is no category.
        let is_course = times.iter().any(|it| self.has_regular_times(*it));
        if !is_course {
            all.extend(bars(&names));
        }
        for time in times.iter().filter(|_| !numbers.is_empty()) {
            for group in &groups {
                all.extend(of_each(Kind::Line, Some(*time), Some(*group)));
            }
            let together = &numbers[..numbers.len().min(MAX_LINES)];
            all.push(choice(Kind::Line, Some(*time), together, None));
            if numbers.len() > 1 {
                all.extend(of_each(Kind::Line, Some(*time), None));
            }
        }
        if is_course {
            all.extend(bars(&names));
        }
        all.extend(bars(&groups));
        all.extend(bars(&times));
        all.extend(pairs(Kind::Line, Self::counts_up));
        all.extend(pairs(Kind::Scatter, |_, _| true));
        all.extend(pairs(Kind::Line, |frame, it| !frame.counts_up(it)));
        if self.rows.len() > 1 {
            all.extend(of_each(Kind::Line, None, None));
        }
        if !is_figure {
            all.extend(figures);
        }
        all
    }

    /// Returns true if no two rows have the same value in a column.
    fn names_rows(&self, column: usize) -> bool {
        let values = (0..self.rows.len()).map(|row| self.text(row, column));
        values.collect::<BTreeSet<_>>().len() == self.rows.len()
    }

    /// Returns true if a column has whole numbers in ascending or descending order, such as years.
    fn counts_up(&self, column: usize) -> bool {
        let numbers = (0..self.rows.len()).map(|row| self.number(row, column));
        let Some(numbers) = numbers.collect::<Option<Vec<_>>>() else {
            return false;
        };
        let is_ordered = |order: Ordering| {
            let mut pairs = numbers.windows(2);
            pairs.all(|pair| pair[0].partial_cmp(&pair[1]) == Some(order))
        };
        numbers.len() >= 3
            && numbers.iter().all(|it| it.fract() == 0.0)
            && (is_ordered(Ordering::Less) || is_ordered(Ordering::Greater))
    }

    /// Checks that the columns of a choice exist and hold what its kind needs.
    pub(crate) fn check(&self, choice: &Choice) -> Result<(), NoChart> {
        if self.rows.is_empty() {
            return Err(NoChart::NoRows);
        }
        let holds = |it: usize| self.columns.get(it).map(|column| column.holds);
        let along = choice.along.map(holds);
        let fits = match (choice.kind, along) {
            (Kind::Line, Some(Some(it))) => matches!(it, Holds::Times | Holds::Numbers),
            (Kind::Line | Kind::Number, None) => true,
            (Kind::Bars, Some(Some(it))) => it != Holds::Other,
            (Kind::Scatter, Some(Some(it))) => it == Holds::Numbers,
            _ => false,
        };
        let has_series = match choice.series {
            None => true,
            Some(it) => choice.kind == Kind::Line && holds(it) == Some(Holds::Categories),
        };
        let most = match choice.kind {
            Kind::Line if choice.series.is_none() => MAX_LINES,
            Kind::Number => 2,
            _ => 1,
        };
        let are_numbers = (1..=most).contains(&choice.numbers.len())
            && choice
                .numbers
                .iter()
                .all(|it| holds(*it) == Some(Holds::Numbers));
        (fits && has_series && are_numbers)
            .then_some(())
            .ok_or(NoChart::UnknownColumn)
    }

    /// Describes a choice in a few words, such as `Line: grams by day, per species`.
    pub fn label(&self, choice: &Choice) -> String {
        let kind = match choice.kind {
            Kind::Line => "Line",
            Kind::Bars => "Bars",
            Kind::Scatter => "Scatter",
            Kind::Number => "Number",
        };
        format!("{kind}: {}", self.title(choice))
    }

    /// Names the columns of a choice, such as `grams by day, per species`.
    pub(crate) fn title(&self, choice: &Choice) -> String {
        let name = |it: usize| {
            let column = self.columns.get(it);
            fitted_chars(&cleaned(column.map_or("", |it| it.name)), MAX_NAME_CHARS)
        };
        let numbers = match &choice.numbers[..] {
            [] => String::new(),
            [one] => name(*one),
            [one, two] if choice.kind == Kind::Number => {
                return format!("{}, compared with {}", name(*one), name(*two));
            }
            [one, two] => format!("{} and {}", name(*one), name(*two)),
            [one, more @ ..] => format!("{} and {} more", name(*one), more.len()),
        };
        let along = match (choice.kind, choice.along) {
            (Kind::Number, _) => String::new(),
            (_, Some(it)) => format!(" by {}", name(it)),
            (_, None) => " by row".to_owned(),
        };
        let series = choice.series.map(|it| format!(", per {}", name(it)));
        format!("{numbers}{along}{}", series.unwrap_or_default())
    }
}

//! Charts of query results. Pure: a [`Frame`] and a [`Choice`] give a [`Drawing`], as SVG, which [`png`]
//! renders. The same input always gives the same bytes.
//!
//! ```
//! let columns = [("species", "VARCHAR"), ("grams", "INTEGER")];
//! let rows = [["mallard", "1100"], ["teal", "330"]];
//! let rows: Vec<Vec<_>> = rows.iter().map(|row| row.map(|it| Some(it.to_owned())).into()).collect();
//! let frame = chart::Frame::new(columns, &rows);
//! let choice = frame.suggest()?;
//! let drawing = frame.draw(&choice)?;
//! assert_eq!(drawing.alt, "Bars of grams by species: mallard 1,100, teal 330.");
//! let png = chart::png(&drawing.svg);
//! assert!(png.starts_with(b"\x89PNG"));
//! # Ok::<(), chart::NoChart>(())
//! ```

mod choice;
mod draw;
mod exact;
mod frame;
mod kind;
mod no_chart;
mod numbers;
mod picture;
mod scale;
mod steps;
mod text;
mod times;

pub use choice::Choice;
pub use draw::{Board, Drawing, Figure, Note, Panel};
pub use frame::Frame;
pub use kind::Kind;
pub use no_chart::NoChart;
pub use picture::png;

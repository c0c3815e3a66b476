//! Draws pictures outside of the async threads, a few at a time.

use std::sync::Arc;

use chart::NoChart;
use tokio::{sync::Semaphore, task::spawn_blocking};
use tracing::warn;

use super::{
    charts::{ChartError, Picture},
    replies::{self, Reply},
};
use crate::{error::new_reference, runtime::Rows, session::Report};

/// Number of pictures that are drawn at a time. Each takes up to 40 MB.
const MAX_PICTURES: usize = 2;

/// Limit of the pictures that are drawn at a time.
pub struct DrawingQueue {
    permits: Arc<Semaphore>,
}

/// Failure to draw, because of a mistake in the program. The log has it with this reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DrawingFailed {
    pub reference: String,
}

impl Default for DrawingQueue {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_PICTURES)),
        }
    }
}

impl DrawingQueue {
    /// Waits for its turn, then draws.
    ///
    /// # Errors
    /// If `draw` panics.
    pub(super) async fn draw<T: Send + 'static>(
        &self,
        draw: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, DrawingFailed> {
        let permit = self.permits.clone().acquire_owned().await;
        // The drawing goes on if nobody waits for it any more, and so does its permit.
        let drawn = spawn_blocking(move || {
            let _permit = permit;
            draw()
        });
        drawn.await.map_err(|_| {
            // The message of the panic may contain a value that was to be drawn.
            let reference = new_reference();
            warn!(reference, "a picture could not be drawn [{reference}]");
            DrawingFailed { reference }
        })
    }

    /// Draws a chart of rows, and returns them again.
    pub(super) async fn chart(
        &self,
        rows: Rows,
        draw: impl FnOnce(&Rows) -> Result<Picture, NoChart> + Send + 'static,
    ) -> (Rows, Result<Picture, ChartError>) {
        let rows = Arc::new(rows);
        let drawn = self.draw({
            let rows = rows.clone();
            move || draw(&rows)
        });
        let chart = match drawn.await {
            Ok(drawn) => drawn.map_err(ChartError::NoChart),
            Err(DrawingFailed { reference }) => Err(ChartError::Failed { reference }),
        };
        (Arc::unwrap_or_clone(rows), chart)
    }

    /// Returns the report as a message, with its picture. If the picture can't be drawn, the text is
    /// enough.
    pub(super) async fn report(&self, report: &Report, dry_run: bool) -> Reply {
        let mut reply = replies::report(report, dry_run);
        let report = report.clone();
        match self.draw(move || replies::report_picture(&report)).await {
            Ok(Ok(picture)) => reply.files.extend(picture),
            Ok(Err(why)) => warn!(?why, "the report has no picture"),
            // It is in the log.
            Err(DrawingFailed { .. }) => {}
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn a_panic_fails_one_drawing_only() {
        let queue = DrawingQueue::default();
        for _ in 0..=MAX_PICTURES {
            let failed: Result<(), _> = queue.draw(|| panic!("a mistake")).await;
            assert!(failed.is_err());
        }
        assert_eq!(queue.draw(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn at_most_two_are_drawn_even_if_nobody_waits_for_them() {
        let queue = Arc::new(DrawingQueue::default());
        let (started, mut starts) = unbounded_channel();
        let mut ends = Vec::new();
        for _ in 0..MAX_PICTURES {
            let (queue, started) = (queue.clone(), started.clone());
            let (end, ended) = std::sync::mpsc::channel::<()>();
            ends.push(end);
            let drawing = tokio::spawn(async move {
                let draw = move || {
                    let _ = started.send(());
                    // Until the test drops the other end.
                    let _ = ended.recv();
                };
                queue.draw(draw).await
            });
            starts.recv().await;
            drawing.abort();
            assert!(drawing.await.is_err_and(|it| it.is_cancelled()));
        }
        let mut third = pin!(queue.draw(|| 7));
        let mut nobody = Context::from_waker(Waker::noop());
        assert_eq!(third.as_mut().poll(&mut nobody), Poll::Pending);
        assert_eq!(queue.permits.available_permits(), 0);
        ends.pop();
        assert_eq!(third.await, Ok(7));
    }

    #[tokio::test]
    async fn rows_outlive_the_drawing() {
        let rows = Rows {
            rows: vec![vec![Some("7".into())]],
            ..Rows::default()
        };
        let queue = DrawingQueue::default();
        let (kept, chart) = queue.chart(rows.clone(), |_| panic!("a mistake")).await;
        assert_eq!(kept, rows);
        assert!(matches!(chart, Err(ChartError::Failed { .. })));
        let no_chart = |_: &Rows| Err(NoChart::NoNumbers);
        let (kept, chart) = queue.chart(rows.clone(), no_chart).await;
        assert_eq!(kept, rows);
        assert!(matches!(chart, Err(ChartError::NoChart(_))));
    }
}

//! Logging: its output, and the limits of what libraries may log.
//!
//! Credentials, tokens, texts that people type, and whole requests or events are never logged. The
//! only exception is the text of queries in the audit log, if `sql.log_queries` is on. Libraries
//! log such data in their debug output, and some in warnings (serenity 0.12: `gateway/ws.rs`,
//! `http/client.rs`; kube 5: `client/mod.rs`). So these levels stay off, whatever the filter says.

mod audit_output;

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, FilterFn, targets::Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    settings::{AuditPlace, Log},
    unicode::is_layout_control,
};
use audit_output::{AuditOutput, Target};

/// Target of the audit log's lines. [`start`] writes them whatever the filter says.
pub const AUDIT: &str = "audit";

/// Logging of a process. Dropping it waits a moment for the last lines of the audit log.
pub struct Logging {
    audit: Option<AuditOutput>,
}

impl Drop for Logging {
    fn drop(&mut self) {
        if let Some(audit) = &self.audit {
            audit.flush();
        }
    }
}

/// Starts logging to standard error, and the audit log to its place in the settings.
///
/// # Errors
/// If that place is a file that can't be opened.
pub fn start(log: &Log) -> io::Result<Logging> {
    let target = match &log.audit {
        AuditPlace::StandardError => None,
        AuditPlace::File(path) => Some(Target::file(path)?),
        AuditPlace::Socket(path) => Some(Target::socket(path)),
    };
    let audit = target.map(AuditOutput::start).transpose()?;
    start_with(log, LevelFilter::INFO, audit.clone());
    Ok(Logging { audit })
}

/// Starts logging to standard error, without the audit log.
#[cfg(feature = "sandbox")]
pub fn start_without_audit(log: &Log) {
    start_with(log, LevelFilter::WARN, None);
}

/// Starts logging. With an output of its own, the audit log is not on standard error.
fn start_with(log: &Log, audit: LevelFilter, own_output: Option<AuditOutput>) {
    let has_own = own_output.is_some();
    let wanted: Targets = log
        .filter
        .parse()
        .expect("a filter that the settings have checked");
    // The span of an interaction has this target, too. Other lines belong to it.
    let wanted = wanted.with_target(AUDIT, audit);
    let is_here = FilterFn::new(move |line| line.is_span() || line.target() != AUDIT || !has_own);
    let output = tracing_subscriber::fmt::layer();
    let output = if log.json {
        output.json().with_writer(io::stderr).boxed()
    } else {
        output
            .with_writer(|| LineWriter(io::stderr()))
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed()
    };
    tracing_subscriber::registry()
        .with(output.with_filter(wanted.and(allowed()).and(is_here)))
        .with(own_output.map(|output| {
            let lines = tracing_subscriber::fmt::layer().json().with_writer(output);
            lines.with_filter(Targets::new().with_target(AUDIT, audit))
        }))
        .init();
}

/// Writer that keeps each event on one line. An error may contain line breaks, and a name or an
/// answer of a catalog in it could otherwise forge a line of the log.
struct LineWriter<W>(W);

impl<W: Write> Write for LineWriter<W> {
    /// Writes a whole event, as tracing-subscriber passes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(one_line(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Escapes the line breaks within an event, and the characters that turn text.
fn one_line(event: &[u8]) -> String {
    let event = String::from_utf8_lossy(event);
    let mut line = String::with_capacity(event.len());
    for c in event.trim_end_matches('\n').chars() {
        // Colours begin with ESC. tracing-subscriber escapes it in values.
        if is_layout_control(c) && !matches!(c, '\t' | '\u{1b}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line + "\n"
}

/// Returns the most verbose level that each source may log.
fn allowed() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("duckbot", LevelFilter::TRACE)
        // Warnings may contain a response that kube could not parse.
        .with_target("kube_client", LevelFilter::ERROR)
        // Warnings may contain an event that serenity could not parse, such as a form with
        // credentials.
        .with_target("serenity", LevelFilter::ERROR)
        .with_target("tungstenite", LevelFilter::WARN)
        .with_target("tokio_tungstenite", LevelFilter::WARN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let mut written = Vec::new();
        let event = "INFO failed: no\r\nINFO audit: \u{202e}forged\n";
        let written_bytes = LineWriter(&mut written).write(event.as_bytes());
        assert_eq!(written_bytes.expect("a Vec takes it"), event.len());
        assert_eq!(
            String::from_utf8_lossy(&written),
            "INFO failed: no\\r\\nINFO audit: \\u{202e}forged\n"
        );
    }
}

//! Log of messages, actions and requests, for people who read a failed test. No I/O.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::faults::RestCall;

/// A REST request with its response.
#[derive(Debug, Clone, PartialEq)]
pub struct RestExchange {
    /// HTTP method, such as `POST`.
    pub method: String,
    /// Template such as `/channels/{channel}/messages`; the path itself if the route is unknown.
    pub route: String,
    /// Path without `/api/v10`.
    pub path: String,
    /// Query string without `?`; empty if there is none.
    pub query: String,
    /// Request body; text that is not JSON is a string. `None` if it is empty.
    pub request: Option<Value>,
    /// Response status. `None` before the response, or if the connection was cut instead.
    pub status: Option<u16>,
    /// Response body. `None` if it is empty, or while `status` is `None`.
    pub response: Option<Value>,
}

/// Transcript of one loopback since its start.
#[derive(Debug)]
pub(crate) struct Transcript {
    started: Instant,
    lines: Vec<(Duration, Entry)>,
    exchanges: Vec<RestExchange>,
}

#[derive(Debug)]
enum Entry {
    Note(String),
    /// Index of an exchange.
    Exchange(usize),
}

impl Default for Transcript {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            lines: Vec::new(),
            exchanges: Vec::new(),
        }
    }
}

impl Transcript {
    /// Adds a line about a message, an action or the gateway.
    pub(crate) fn note(&mut self, line: String) {
        self.lines.push((self.started.elapsed(), Entry::Note(line)));
    }

    /// Adds a request on arrival; [`Transcript::add_response`] completes it. Returns its index.
    pub(crate) fn add_request(&mut self, exchange: RestExchange) -> usize {
        self.exchanges.push(exchange);
        let at = self.exchanges.len() - 1;
        self.lines
            .push((self.started.elapsed(), Entry::Exchange(at)));
        at
    }

    /// Adds the response to the request with the index `at`.
    pub(crate) fn add_response(
        &mut self,
        at: usize,
        status: u16,
        response: Option<&Value>,
    ) -> RestExchange {
        let exchange = &mut self.exchanges[at];
        exchange.status = Some(status);
        exchange.response = response.cloned();
        exchange.clone()
    }

    pub(crate) fn exchanges(&self) -> &[RestExchange] {
        &self.exchanges
    }

    /// Renders messages, actions and requests in order, one per line.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (at, line) in &self.lines {
            let line = match line {
                Entry::Note(text) => text.clone(),
                Entry::Exchange(index) => summary(&self.exchanges[*index]),
            };
            // Writing to a String can't fail.
            let _ = writeln!(text, "{:>8.3}s {line}", at.as_secs_f64());
        }
        text
    }

    /// Renders all requests and responses in full.
    pub(crate) fn render_traffic(&self) -> String {
        let mut text = String::new();
        for exchange in &self.exchanges {
            let show =
                |body: &Option<Value>| body.as_ref().map_or_else(String::new, Value::to_string);
            let _ = writeln!(
                text,
                "{} {}?{}\n> {}\n< {} {}",
                exchange.method,
                exchange.path,
                exchange.query,
                show(&exchange.request),
                exchange
                    .status
                    .map_or_else(|| "no response".to_owned(), |status| status.to_string()),
                show(&exchange.response),
            );
        }
        text
    }
}

impl RestExchange {
    /// The call without its bodies.
    #[must_use]
    pub fn call(&self) -> RestCall {
        RestCall {
            method: self.method.clone(),
            route: self.route.clone(),
            path: self.path.clone(),
        }
    }
}

/// Summary in one line; the response body is included only for an error.
fn summary(exchange: &RestExchange) -> String {
    let answer = match (exchange.status, &exchange.response) {
        (None, _) => "no response".to_owned(),
        (Some(status @ 400..), Some(response)) => format!("{status} {response}"),
        (Some(status), _) => status.to_string(),
    };
    format!("    {} {} -> {answer}", exchange.method, exchange.route)
}

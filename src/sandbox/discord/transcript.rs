//! What was said and what was requested, kept for people who read a failed test. No I/O.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::faults::RestCall;

/// One REST request with its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct RestExchange {
    pub method: String,
    /// The template, such as `/channels/{channel}/messages`; the path itself if there is none.
    pub route: String,
    /// The path without `/api/v10`.
    pub path: String,
    pub query: String,
    /// The body; text that is no JSON stands here as a string.
    pub request: Option<Value>,
    /// `None` as long as there is no answer, or if the connection was cut instead.
    pub status: Option<u16>,
    pub response: Option<Value>,
}

/// The record of one loopback, from its start.
#[derive(Debug)]
pub struct Transcript {
    started: Instant,
    lines: Vec<(Duration, Entry)>,
    exchanges: Vec<RestExchange>,
}

#[derive(Debug)]
enum Entry {
    Note(String),
    /// The position of an exchange.
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
    /// Notes something that a person could have seen, or that happened to the gateway.
    pub fn note(&mut self, line: String) {
        self.lines.push((self.started.elapsed(), Entry::Note(line)));
    }

    /// Notes a request as it arrives; the answer comes by [`Transcript::add_response`].
    pub fn add_request(&mut self, exchange: RestExchange) -> usize {
        self.exchanges.push(exchange);
        let at = self.exchanges.len() - 1;
        self.lines
            .push((self.started.elapsed(), Entry::Exchange(at)));
        at
    }

    /// Notes the answer to a request.
    pub fn add_response(
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

    pub fn exchanges(&self) -> &[RestExchange] {
        &self.exchanges
    }

    /// The chat with the requests in between, a line each.
    pub fn render(&self) -> String {
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

    /// Every request and every answer in full.
    pub fn render_traffic(&self) -> String {
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
                    .map_or_else(|| "no answer".to_owned(), |status| status.to_string()),
                show(&exchange.response),
            );
        }
        text
    }
}

impl RestExchange {
    /// The call, without what it carried.
    #[must_use]
    pub fn call(&self) -> RestCall {
        RestCall {
            method: self.method.clone(),
            route: self.route.clone(),
            path: self.path.clone(),
        }
    }
}

/// One line; the answer is spelled out only if it is a refusal.
fn summary(exchange: &RestExchange) -> String {
    let answer = match (exchange.status, &exchange.response) {
        (None, _) => "no answer".to_owned(),
        (Some(status @ 400..), Some(response)) => format!("{status} {response}"),
        (Some(status), _) => status.to_string(),
    };
    format!("    {} {} -> {answer}", exchange.method, exchange.route)
}

//! Outcomes of requests, for the door's counts and log. Pure.
//!
//! The code that makes a response knows its outcome, and notes it in the response's extensions. Reasons are
//! fixed texts of the door: nothing of a request is ever a part of them.

use hyper::{Method, Response, http::request::Parts};

use super::{
    activity::{INTERRUPT_PATH, RequestKind},
    policy::{CONSOLE_PATH, ENTER_PATH, QUACK_PATH},
};

/// Outcome of a request, with the reason unless it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RequestOutcome {
    #[default]
    Done,
    /// The door's rules or limits refuse the request.
    Refused(&'static str),
    /// DuckDB or the door can't answer.
    Failed(&'static str),
}

impl RequestOutcome {
    /// Notes the outcome in a response.
    pub(super) fn note<B>(self, response: &mut Response<B>) {
        response.extensions_mut().insert(self);
    }

    /// Returns the outcome that a response notes. A response without a note is DuckDB's.
    pub(super) fn of<B>(response: &Response<B>) -> Self {
        let is_error = response.status().is_server_error();
        match response.extensions().get() {
            Some(noted) => *noted,
            None if is_error => Self::Failed("DuckDB answered with an error of its server"),
            None => Self::Done,
        }
    }

    /// Refusal for the reason that a page tells in several sentences. The first one is for the log.
    pub(super) fn refused_as_told(page: &'static str) -> Self {
        let first = page.split(". ").next().unwrap_or(page);
        Self::Refused(first.trim_end_matches('.'))
    }
}

/// A request, as far as a log line may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLabel {
    pub method: &'static str,
    pub kind: &'static str,
}

impl RequestLabel {
    pub(super) fn of(head: &Parts) -> Self {
        let path = head.uri.path();
        let kind = match RequestKind::of(&head.method, path) {
            _ if path == ENTER_PATH => "link",
            _ if path.starts_with(CONSOLE_PATH) => "console",
            _ if path == QUACK_PATH => "client",
            Some(RequestKind::Query) => "query",
            Some(RequestKind::Tab) => "events",
            Some(RequestKind::Page) => "page",
            None if path == INTERRUPT_PATH => "interrupt",
            Some(RequestKind::Other) | None => "call",
        };
        let method = match head.method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            // Clients choose it.
            _ => "another method",
        };
        Self { method, kind }
    }
}

#[cfg(test)]
mod tests {
    use hyper::{Request, StatusCode};

    use super::*;

    fn label(method: &str, path: &str) -> (&'static str, &'static str) {
        let request = Request::builder().method(method).uri(path).body(());
        let RequestLabel { method, kind } =
            RequestLabel::of(&request.expect("a request").into_parts().0);
        (method, kind)
    }

    #[test]
    fn a_label_repeats_nothing_of_a_request() {
        for (method, path, expected) in [
            ("POST", "/ddb/run?secret", ("POST", "query")),
            ("GET", "/localEvents", ("GET", "events")),
            ("POST", "/ddb/interrupt", ("POST", "interrupt")),
            ("GET", "/secret", ("GET", "page")),
            ("POST", "/secret", ("POST", "call")),
            ("GET", "/.duckbot/enter", ("GET", "link")),
            ("POST", "/.duckbot/console/secret", ("POST", "console")),
            ("POST", "/quack?secret", ("POST", "client")),
            ("SECRET", "/info", ("another method", "call")),
        ] {
            assert_eq!(label(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn only_errors_of_duckdbs_server_are_failures_without_a_note() {
        let outcome = |status| {
            let mut response = Response::new(());
            *response.status_mut() = status;
            RequestOutcome::of(&response)
        };
        assert_eq!(outcome(StatusCode::OK), RequestOutcome::Done);
        assert_eq!(outcome(StatusCode::NOT_FOUND), RequestOutcome::Done);
        assert!(matches!(
            outcome(StatusCode::INTERNAL_SERVER_ERROR),
            RequestOutcome::Failed(_)
        ));
        let refused = RequestOutcome::refused_as_told("There is no such page.");
        assert_eq!(refused, RequestOutcome::Refused("There is no such page"));
    }
}

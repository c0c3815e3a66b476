//! The door's answers in place of DuckDB's UI server, in DuckDB's own serialization.

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use serde::Serialize;

use super::{
    body::{Body, full_body},
    policy::rewrite_response_headers,
};

/// End of each object.
const END: [u8; 2] = [0xff, 0xff];
/// Field 100, the success of a query: false. Then field 101, its error.
const ERROR: [u8; 5] = [100, 0, 0, 101, 0];

/// Error of a query, as DuckDB writes it for clients that want JSON.
#[derive(Serialize)]
pub(super) struct QueryError {
    #[serde(rename = "exception_type")]
    pub kind: &'static str,
    #[serde(rename = "exception_message")]
    pub message: String,
}

impl QueryError {
    /// Error of a query whose connection was interrupted.
    pub(super) fn interrupted() -> Self {
        Self {
            kind: "INTERRUPT",
            message: "Interrupted!".to_owned(),
        }
    }

    /// Answers a query. `request` are its headers.
    pub(super) fn respond(&self, status: StatusCode, request: &HeaderMap) -> Response<Body> {
        let as_json = request.get("x-duckdb-ui-errors-as-json");
        let text = if as_json.is_some_and(|value| value == "true") {
            serde_json::to_string(self).expect("an error serializes to JSON")
        } else {
            format!("{} Error: {}", self.kind, self.message)
        };
        let mut body = ERROR.to_vec();
        push_length(&mut body, text.len());
        body.extend_from_slice(text.as_bytes());
        body.extend_from_slice(&END);
        respond(status, body)
    }
}

/// Answers a request without a result, such as an interrupt.
pub(super) fn empty() -> Response<Body> {
    respond(StatusCode::OK, END.to_vec())
}

fn respond(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut answer = Response::new(full_body(body));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("application/octet-stream");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    rewrite_response_headers(answer.headers_mut());
    answer
}

/// Appends a length: seven bits per byte, the lowest first.
pub(super) fn push_length(body: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            return body.push(low);
        }
        body.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn bytes(error: QueryError, headers: HeaderMap) -> Vec<u8> {
        let body = error.respond(StatusCode::OK, &headers).into_body();
        body.collect().await.expect("a body").to_bytes().to_vec()
    }

    #[tokio::test]
    async fn an_interrupted_query_is_answered_as_by_duckdb() {
        // Answers of DuckDB 1.4.4 and 1.5.5.
        let text = bytes(QueryError::interrupted(), HeaderMap::new()).await;
        assert_eq!(
            text,
            b"d\x00\x00e\x00\x1dINTERRUPT Error: Interrupted!\xff\xff"
        );
        let name = header::HeaderName::from_static("x-duckdb-ui-errors-as-json");
        let headers = [(name, HeaderValue::from_static("true"))];
        let json = bytes(QueryError::interrupted(), headers.into_iter().collect()).await;
        let expected = b"d\x00\x00e\x00A{\"exception_type\":\"INTERRUPT\",\"exception_message\":\"Interrupted!\"}\xff\xff";
        assert_eq!(json, expected);
    }

    #[test]
    fn a_length_takes_seven_bits_per_byte() {
        for (length, expected) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
        ] {
            let mut body = Vec::new();
            push_length(&mut body, length);
            assert_eq!(body, expected, "{length}");
        }
    }
}

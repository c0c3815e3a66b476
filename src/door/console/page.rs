//! The files of the console's page, which are part of the program.

use std::{collections::HashMap, io::Write, sync::LazyLock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use ring::digest::{SHA256, digest};

use crate::door::{
    body::{Body, full_body},
    policy::rewrite_response_headers,
    ticket::random_token,
};

/// The page's files by name.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console_web.rs"));
/// Name of the page itself.
const INDEX: &str = "index.html";
/// Place of the nonce in the page.
const NONCE_MARK: &str = "STYLE_NONCE";

static ASSETS: LazyLock<HashMap<&str, Asset>> = LazyLock::new(|| {
    let files = FILES.iter().filter(|(name, _)| *name != INDEX);
    let asset = |(name, content): &(&'static str, &'static [u8])| {
        (*name, Asset::new(name, Bytes::from_static(content)))
    };
    files.map(asset).collect()
});

/// File that does not change as long as the door runs.
pub(super) struct Asset {
    kind: &'static str,
    tag: HeaderValue,
    content: Bytes,
    compressed: Bytes,
}

impl Asset {
    pub(super) fn new(name: &str, content: Bytes) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, &content));
        Self {
            kind: content_type(name),
            tag: HeaderValue::try_from(format!("\"{hash}\"")).expect("the tag is ASCII"),
            compressed: compress(&content),
            content,
        }
    }

    pub(super) fn respond(&self, request: &HeaderMap) -> Response<Body> {
        let says = |name, wanted: &str| {
            let value = request.get(name).and_then(|it| it.to_str().ok());
            value.is_some_and(|it: &str| it.contains(wanted))
        };
        let tag = self.tag.to_str().unwrap_or_default();
        let mut answer = Response::new(full_body(""));
        let headers = answer.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (header::ETAG, self.tag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
        ] {
            headers.insert(name, value);
        }
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        rewrite_response_headers(headers);
        if says(header::IF_NONE_MATCH, tag) {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        } else if says(header::ACCEPT_ENCODING, "gzip") {
            let gzip = HeaderValue::from_static("gzip");
            headers.insert(header::CONTENT_ENCODING, gzip);
            *answer.body_mut() = full_body(self.compressed.clone());
        } else {
            *answer.body_mut() = full_body(self.content.clone());
        }
        answer
    }
}

/// Finds a file of the page.
pub(super) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.get(name)
}

/// Returns the page. Its content security policy allows only its own files, and styles with a nonce, which the
/// editor needs.
pub(super) fn index() -> Response<Body> {
    let nonce = random_token();
    let content = FILES.iter().find(|(name, _)| *name == INDEX);
    let content = content.map_or(&[][..], |(_, content)| *content);
    let content = String::from_utf8_lossy(content).replace(NONCE_MARK, &nonce);
    let policy = format!(
        "default-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' blob: data:; \
         object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    );
    let mut answer = Response::new(full_body(content));
    let headers = answer.headers_mut();
    let policy = HeaderValue::try_from(policy).expect("the policy is ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let kind = HeaderValue::from_static(content_type(INDEX));
    headers.insert(header::CONTENT_TYPE, kind);
    super::answer::protect(headers);
    answer
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

fn compress(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(content);
    let compressed = written.and_then(|()| encoder.finish());
    compressed.expect("memory can be written").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paint_is_small() {
        let index = FILES.iter().find(|(name, _)| *name == INDEX);
        let (_, index) = index.expect("the page");
        let assets: usize = ASSETS.values().map(|it| it.compressed.len()).sum();
        let bytes = index.len() + assets;
        assert!(bytes < 120 << 10, "{bytes}; the editor needs 130 KB more");
    }
}

//! A catalog's own configuration, `GET /v1/config`. Pure.

use std::collections::BTreeMap;

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

/// Answer of `/v1/config`, as far as DuckDB uses it.
#[derive(Debug, Default, Deserialize)]
pub struct CatalogConfig {
    defaults: Option<BTreeMap<String, Value>>,
    overrides: Option<BTreeMap<String, Value>>,
}

impl CatalogConfig {
    /// Parses the answer. Returns `None` if it is not such a document.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Address that the catalog wants requests at, if it is another one than `endpoint`.
    ///
    /// DuckDB 1.5 does not follow it, and neither does the bot: a credential is for the address in the
    /// settings only.
    pub fn moved_to(&self, endpoint: &str) -> Option<&str> {
        let uri = text(&self.overrides, "uri")?;
        let plain = |url: &str| Url::parse(url.trim_end_matches('/')).ok();
        (plain(uri) != plain(endpoint)).then_some(uri)
    }

    /// URL below which the catalog's namespaces are. Returns `None` if `endpoint` is not a URL.
    pub fn base(&self, endpoint: &str) -> Option<Url> {
        let prefix = text(&self.overrides, "prefix").or(text(&self.defaults, "prefix"));
        let prefix = prefix.unwrap_or_default();
        // DuckDB takes an encoded prefix for one part of the path, and splits another one.
        if prefix.contains('%') {
            return Url::parse(&format!("{endpoint}/v1/{prefix}")).ok();
        }
        let mut base = Url::parse(&format!("{endpoint}/v1")).ok()?;
        let parts = prefix.split('/').filter(|part| !part.is_empty());
        base.path_segments_mut().ok()?.extend(parts);
        Some(base)
    }
}

fn text<'a>(properties: &'a Option<BTreeMap<String, Value>>, name: &str) -> Option<&'a str> {
    properties.as_ref()?.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> CatalogConfig {
        CatalogConfig::parse(text).expect("a configuration")
    }

    #[test]
    fn an_override_wins_and_a_prefix_is_encoded_once() {
        for (text, base) in [
            (r#"{}"#, "http://c/x/v1"),
            (r#"{"defaults": {"prefix": "a"}}"#, "http://c/x/v1/a"),
            (
                r#"{"defaults": {"prefix": "a"}, "overrides": {"prefix": "b/c d"}}"#,
                "http://c/x/v1/b/c%20d",
            ),
            (
                r#"{"overrides": {"prefix": "b%2Fc"}}"#,
                "http://c/x/v1/b%2Fc",
            ),
        ] {
            let url = config(text).base("http://c/x");
            assert_eq!(url.expect("a URL").as_str(), base, "{text}");
        }
    }

    #[test]
    fn only_another_address_is_a_move() {
        let moved = |uri: &str| {
            let config = config(&format!(r#"{{"overrides": {{"uri": "{uri}"}}}}"#));
            config.moved_to("http://c/x").map(str::to_owned)
        };
        assert_eq!(moved("http://c/x/"), None);
        assert_eq!(moved("http://C:80/x"), None);
        assert_eq!(moved("http://c/y").as_deref(), Some("http://c/y"));
        let by_default = config(r#"{"defaults": {"uri": "http://c/y"}}"#);
        assert_eq!(by_default.moved_to("http://c/x"), None);
    }
}

//! A catalog's own configuration, `GET /v1/config`. Pure.

use std::collections::BTreeMap;

use reqwest::Url;
use serde::Deserialize;

/// Answer of `/v1/config`, as far as DuckDB uses it. DuckDB 1.5.5 refuses one without both objects, or with a
/// value that is not a text.
#[derive(Debug, Deserialize)]
pub struct CatalogConfig {
    defaults: BTreeMap<String, String>,
    overrides: BTreeMap<String, String>,
}

impl CatalogConfig {
    /// Parses the answer. Returns `None` if DuckDB refuses it.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Address that the catalog wants requests at, if it is another one than `endpoint`.
    ///
    /// DuckDB 1.5 does not follow it, and neither does the bot: a credential is for the address in the
    /// settings only.
    pub fn moved_to(&self, endpoint: &str) -> Option<&str> {
        let uri = self.overrides.get("uri")?;
        let plain = |url: &str| Url::parse(url.trim_end_matches('/')).ok();
        (plain(uri) != plain(endpoint)).then_some(uri)
    }

    /// URL below which the catalog's namespaces are. Returns `None` if `endpoint` is not a URL.
    pub fn base(&self, endpoint: &str) -> Option<Url> {
        let prefix = self.overrides.get("prefix");
        let prefix = prefix.or(self.defaults.get("prefix"));
        let prefix = prefix.map_or("", String::as_str);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> CatalogConfig {
        CatalogConfig::parse(text).expect("a configuration")
    }

    #[test]
    fn an_override_wins_and_a_prefix_is_encoded_once() {
        for (text, base) in [
            (r#"{"defaults": {}, "overrides": {}}"#, "http://c/x/v1"),
            (
                r#"{"defaults": {"prefix": "a"}, "overrides": {}}"#,
                "http://c/x/v1/a",
            ),
            (
                r#"{"defaults": {"prefix": "a"}, "overrides": {"prefix": "b/c d"}}"#,
                "http://c/x/v1/b/c%20d",
            ),
            (
                r#"{"defaults": {}, "overrides": {"prefix": "b%2Fc"}}"#,
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
            let text = format!(r#"{{"defaults": {{}}, "overrides": {{"uri": "{uri}"}}}}"#);
            let config = config(&text);
            config.moved_to("http://c/x").map(str::to_owned)
        };
        assert_eq!(moved("http://c/x/"), None);
        assert_eq!(moved("http://C:80/x"), None);
        assert_eq!(moved("http://c/y").as_deref(), Some("http://c/y"));
        let by_default = config(r#"{"defaults": {"uri": "http://c/y"}, "overrides": {}}"#);
        assert_eq!(by_default.moved_to("http://c/x"), None);
    }

    // Answers of DuckDB 1.5.5 to each.
    #[test]
    fn a_document_that_duckdb_refuses_is_no_configuration() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"status": "ok"}"#,
            r#"{"config": {}}"#,
            r#"{"overrides": {}}"#,
            r#"{"defaults": null, "overrides": null}"#,
            r#"{"defaults": {}, "overrides": {"x": 1}}"#,
            r#"{"defaults": {"x": true}, "overrides": {}}"#,
            r#"{"defaults": {}, "overrides": {"prefix": null}}"#,
        ] {
            assert!(CatalogConfig::parse(text).is_none(), "{text}");
        }
        config(r#"{"defaults": {}, "overrides": {}, "endpoints": null, "x": 1}"#);
    }
}

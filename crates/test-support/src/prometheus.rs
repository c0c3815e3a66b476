//! A Prometheus that scrapes a bot.

use std::{fs, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{reserved_port::ReservedPort, third_party::Running, tools};

/// Running Prometheus. It ends with this process.
pub struct Prometheus {
    url: String,
    _running: Running,
}

impl Prometheus {
    /// Starts a Prometheus that reads the metrics of `url` each second as those of the Pod `duckbot-0` in the
    /// namespace `duckbot`, and evaluates `rules` (the text of a rule file).
    pub fn start(url: &str, rules: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let address = url.strip_prefix("http://").unwrap();
        let config = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": ["rules.yaml"],
            "scrape_configs": [{
                "job_name": "duckbot/duckbot",
                "static_configs": [{
                    "targets": [address],
                    "labels": { "namespace": "duckbot", "pod": "duckbot-0" },
                }],
            }],
        });
        fs::write(folder.path().join("prometheus.yml"), config.to_string()).unwrap();
        fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        let port = ReservedPort::reserve();
        let mut server = Command::new(tools::prometheus().join("prometheus"));
        server
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address=127.0.0.1:{}", port.number()));
        let url = port.url();
        let _running = Running::start(&url, folder, vec![port], &server);
        Self { url, _running }
    }

    /// Asks for a path of `/api/v1`. Returns the field `data`, or the error's text.
    ///
    /// # Errors
    /// If Prometheus refuses the request.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("{}/api/v1/{path}", self.url);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(url).query(query).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            _ => Err(answer["error"].to_string()),
        }
    }

    /// Series that a query returns now.
    ///
    /// # Errors
    /// If Prometheus refuses the query.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let mut data = self.get("query", &[("query", query)]).await?;
        match data["result"].take() {
            Value::Array(series) => Ok(series),
            other => panic!("{query}: {other}"),
        }
    }
}

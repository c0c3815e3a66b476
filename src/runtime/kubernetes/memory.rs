//! Memory use of DuckDB, in clusters with a metrics server. Pure.
//!
//! The format is `PodMetrics` (`k8s.io/metrics/pkg/apis/metrics/v1beta1`).

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};

use super::build::DUCKDB;

/// The resource `PodMetrics`.
pub(super) fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
    ApiResource::from_gvk_with_plural(&kind, "pods")
}

/// Memory use of DuckDB's container, in bytes.
pub(super) fn duckdb_memory(measured: &DynamicObject) -> Option<u64> {
    let mut containers = measured.data.get("containers")?.as_array()?.iter();
    let duckdb = containers.find(|it| it["name"] == DUCKDB)?;
    bytes(duckdb["usage"]["memory"].as_str()?)
}

/// Parses an amount as metrics servers write it: in bytes, or with a binary suffix.
fn bytes(amount: &str) -> Option<u64> {
    let digits = amount.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &amount[digits.len()..] {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn measured(containers: Value) -> DynamicObject {
        let object = json!({ "metadata": { "name": "duckui-977a26" }, "containers": containers });
        serde_json::from_value(object).expect("valid PodMetrics")
    }

    #[test]
    fn only_the_memory_of_duckdb_is_read() {
        let usage = |memory: &str| {
            let usage = json!({ "cpu": "12n", "memory": memory });
            json!([{ "name": "door", "usage": { "memory": "9Mi" } },
                   { "name": "duckdb", "usage": usage }])
        };
        let told = |memory: &str| duckdb_memory(&measured(usage(memory)));
        assert_eq!(told("1234Ki"), Some(1234 * 1024));
        assert_eq!(told("2Gi"), Some(2 << 30));
        assert_eq!(told("77"), Some(77));
        assert_eq!(told("1e3"), None);
        assert_eq!(told(""), None);
        assert_eq!(duckdb_memory(&measured(json!([]))), None);
    }
}

// Grafana's own types of dashboards (Apache License 2.0). Grafana itself is no Go module that can be used here.
module duckbot.dev/tools/grafana

go 1.26.0

require github.com/grafana/grafana-foundation-sdk/go v0.0.22

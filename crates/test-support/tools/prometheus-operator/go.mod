// The custom resource definitions of the Prometheus operator. The module (Apache License 2.0) is only downloaded.
module duckbot.dev/prometheus-operator

go 1.25.0

require github.com/prometheus-operator/prometheus-operator v0.85.0

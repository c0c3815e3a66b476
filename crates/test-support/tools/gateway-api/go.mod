// The custom resource definitions of the Gateway API, in the version that Traefik of these tests was built
// with. The module (Apache License 2.0) is only downloaded.
module duckbot.dev/gateway-api

go 1.25.0

require sigs.k8s.io/gateway-api v1.6.3

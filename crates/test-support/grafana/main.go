// Command dashboard reads a dashboard from standard input, and prints each field that Grafana's own types of
// dashboards, panels and queries don't have, require or refuse.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	types := cog.NewRuntime()
	types.RegisterPanelcfgVariant(stat.VariantConfig())
	types.RegisterPanelcfgVariant(timeseries.VariantConfig())
	types.RegisterDataqueryVariant(prometheus.VariantConfig())

	text, err := io.ReadAll(os.Stdin)
	refuse(err)
	var read dashboard.Dashboard
	refuse(read.UnmarshalJSONStrict(text))
	refuse(read.Validate())
}

// Prints an error, and ends with status 1. Some of Grafana's functions return an empty list of errors.
func refuse(err error) {
	if err != nil && err.Error() != "" {
		fmt.Println(err)
		os.Exit(1)
	}
}

package workspace

import (
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/azquery"
)

// clouds are the names that [Cloud] knows.
var clouds = []string{"public", "usgovernment", "china"}

// Cloud returns the configuration of a cloud by its name, for a client's
// options and for its credential's. Both have to be of the workspace's cloud.
// Upper and lower case are the same; no name is the public cloud.
func Cloud(name string) (cloud.Configuration, error) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "public":
		return cloud.AzurePublic, nil
	case "usgovernment":
		return cloud.AzureGovernment, nil
	case "china":
		return cloud.AzureChina, nil
	}
	return cloud.Configuration{}, fmt.Errorf("workspace: %q is not a cloud: expected one of %s", name, strings.Join(clouds, ", "))
}

// Scope returns what a token for the service of a cloud is asked for by.
func Scope(c cloud.Configuration) string {
	return c.Services[azquery.ServiceNameLogs].Audience + "/.default"
}

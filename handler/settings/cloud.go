package settings

import (
	"fmt"
	"strings"
)

// domains lists what the hosts of services end with in each cloud, where an address
// says which cloud it is of.
var domains = []struct{ cloud, domain string }{
	{"public", ".core.windows.net"}, {"public", ".ingest.monitor.azure.com"},
	{"usgovernment", ".core.usgovcloudapi.net"}, {"usgovernment", ".ingest.monitor.azure.us"},
	{"china", ".core.chinacloudapi.cn"}, {"china", ".ingest.monitor.azure.cn"},
}

// elsewhere says which addresses are of another cloud than the one that is set. The
// tokens of this one would be sent there, and refused.
func (v *variables) elsewhere() (problems []error) {
	for _, address := range []struct{ name, value string }{{"TABLE_ENDPOINT", v.TableEndpoint.value}, {"ALERTS_ENDPOINT", v.AlertsEndpoint.value}} {
		host := strings.ToLower(address.value)
		for _, d := range domains {
			if strings.HasSuffix(host, d.domain) && v.Cloud.value != "" && v.Cloud.value != d.cloud {
				problems = append(problems, fmt.Errorf("the setting %s_%s is an address of the cloud %s, and %[1]s_CLOUD is %[4]s: expected one of the same cloud", Prefix, address.name, d.cloud, v.Cloud.value))
			}
		}
	}
	return problems
}

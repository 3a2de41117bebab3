package settings

import (
	"fmt"
	"strings"
	"testing"
)

// An address goes with the cloud that it is of, and one that does not say goes with all.
func TestCloudOfAddresses(t *testing.T) {
	addresses := map[string][2]string{
		"public":       {"https://account.table.core.windows.net", "https://x-ab12.westeurope-1.ingest.monitor.azure.com"},
		"usgovernment": {"https://account.table.core.usgovcloudapi.net", "https://x-ab12.usgovvirginia-1.ingest.monitor.azure.us"},
		"china":        {"https://account.table.core.chinacloudapi.cn", "https://x-ab12.chinanorth3-1.ingest.monitor.azure.cn"},
		"":             {"https://table.contoso.example", "https://ingest.contoso.example"},
	}
	t.Setenv("PUSHBACK_ALERTS_RULE", "dcr-0a")
	for _, cloud := range []string{"public", "usgovernment", "china"} {
		for of, pair := range addresses {
			t.Setenv("PUSHBACK_CLOUD", cloud)
			t.Setenv("PUSHBACK_TABLE_ENDPOINT", pair[0])
			t.Setenv("PUSHBACK_ALERTS_ENDPOINT", pair[1])
			_, err := Read()
			for _, name := range []string{"TABLE", "ALERTS"} {
				want := fmt.Sprintf("the setting PUSHBACK_%s_ENDPOINT is an address of the cloud %s, and PUSHBACK_CLOUD is %s", name, of, cloud)
				if is := strings.Contains(fmt.Sprint(err), want); is != (of != "" && of != cloud) {
					t.Errorf("%s in %s: %v", of, cloud, err)
				}
			}
			if cloud != "china" && (of == "" || of == cloud) && err != nil {
				t.Errorf("%s in %s: %v", of, cloud, err)
			}
		}
	}
}

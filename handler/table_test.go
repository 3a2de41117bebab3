package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pushback/detect/notify/console"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

const tableKey = "c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudA=="

// Where the ledger is, and what is said of a place that is none.
func TestLedgerPlace(t *testing.T) {
	const connection = "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=" + tableKey + ";EndpointSuffix=core.windows.net"
	for _, tc := range []struct {
		name       string
		env        map[string]string
		endpoint   string
		connection string
		wrong      string // in the error
	}{
		{name: "nowhere", wrong: "the ledger has no place: set PUSHBACK_TABLE_ENDPOINT or PUSHBACK_TABLE_CONNECTION"},
		{name: "the host's", env: map[string]string{"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, connection: "UseDevelopmentStorage=true"},
		{name: "a connection", env: map[string]string{"PUSHBACK_TABLE_CONNECTION": connection, "AzureWebJobsStorage": "UseDevelopmentStorage=true"}, connection: connection},
		{name: "an endpoint", env: map[string]string{"PUSHBACK_TABLE_ENDPOINT": "https://acc.table.core.windows.net/"}, endpoint: "https://acc.table.core.windows.net"},
		{name: "memory", env: map[string]string{"PUSHBACK_TABLE_CONNECTION": "memory"}, connection: "memory"},
		{name: "the host's account", env: map[string]string{"AzureWebJobsStorage__accountName": "acc", "PUSHBACK_CLOUD": "china"}, endpoint: "https://acc.table.core.chinacloudapi.cn"},
		{name: "the host's tables", env: map[string]string{"AzureWebJobsStorage__tableServiceUri": "https://t.example", "AzureWebJobsStorage__clientId": "1"}, endpoint: "https://t.example"},
		{name: "both", env: map[string]string{"PUSHBACK_TABLE_CONNECTION": connection, "PUSHBACK_TABLE_ENDPOINT": "https://a.example"}, wrong: "are both set"},
		{name: "a bad endpoint", env: map[string]string{"PUSHBACK_TABLE_ENDPOINT": "http://a.example"}, wrong: "PUSHBACK_TABLE_ENDPOINT is \"http://a.example\": expected an https address"},
		{name: "a bad connection", env: map[string]string{"PUSHBACK_TABLE_CONNECTION": "AccountKey=" + tableKey}, wrong: "PUSHBACK_TABLE_CONNECTION is not right: expected the connection string"},
		{name: "a bad name", env: map[string]string{"PUSHBACK_TABLE_CONNECTION": connection, "PUSHBACK_TABLE_NAME": "my-table"}, wrong: "PUSHBACK_TABLE_NAME is \"my-table\": expected 3 to 63 letters"},
		{name: "the host's is wrong", env: map[string]string{"AzureWebJobsStorage": "AccountKey=" + tableKey}, wrong: "the variable AzureWebJobsStorage:"},
		{name: "no account", env: map[string]string{"AzureWebJobsStorage__accountName": "evil.example/x"}, wrong: "the variable AzureWebJobsStorage__accountName is"},
		{name: "no tables", env: map[string]string{"AzureWebJobsStorage__tableServiceUri": "http://t.example"}, wrong: "the variable AzureWebJobsStorage__tableServiceUri is"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, name := range []string{hostStorage, hostStorageAccount, hostStorageTables, hostStorageClient} {
				t.Setenv(name, "")
			}
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			s, err := settings.ReadFor("outbox")
			if err == nil {
				var o, placeErr = ledgerOptions(s)
				err = placeErr
				if err == nil && (o.Endpoint != tc.endpoint || o.ConnectionString != tc.connection || (o.Endpoint != "") != (o.Credential != nil)) {
					t.Errorf("the ledger is at %q, %q", o.Endpoint, o.ConnectionString)
				}
			}
			if got := fmt.Sprint(err); (err != nil) != (tc.wrong != "") || !strings.Contains(got, tc.wrong) {
				t.Errorf("error = %v, want %q", err, tc.wrong)
			}
			for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", s.TableConnection), fmt.Sprintf("%#v", s.TableConnection), fmt.Sprintf("%v", s), settingsHelp(console.Style{Width: 100})} {
				if strings.Contains(text, tableKey) {
					t.Errorf("the key is in %q", text)
				}
			}
		})
	}
}

// What could be found again must not be forgotten.
func TestRetentionIsLongEnough(t *testing.T) {
	t.Setenv("PUSHBACK_SEEN_RETENTION", "48h")
	s, err := settings.Read()
	if err != nil {
		t.Fatal(err)
	}
	r := rule.Default()
	if err := checkRetention(s, []*rule.Rule{r}); err != nil {
		t.Error(err)
	}
	r.QueryPeriod = 14 * 24 * time.Hour
	if err := checkRetention(s, []*rule.Rule{r}); err == nil || !strings.Contains(err.Error(), "PUSHBACK_SEEN_RETENTION is 48h0m0s: the rule \"MFA Rejected by User\" needs at least 362h0m0s") {
		t.Error(err)
	}
}

func TestQueriesFitIntoTicks(t *testing.T) {
	t.Setenv("PUSHBACK_QUERY_TIMEOUT", "10m")
	if _, err := settings.Read(); err == nil || !strings.Contains(err.Error(), "PUSHBACK_QUERY_TIMEOUT is 10m0s: expected at most 7m15s") {
		t.Error(err)
	}
}

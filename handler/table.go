package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
	"pushback/handler/settings"
	"pushback/handler/telemetry"
)

// hostStorage is the storage account that the Functions host keeps its own
// state in. The setting is a connection string, or with these behind it its
// parts for an identity.
const (
	hostStorage        = "AzureWebJobsStorage"
	hostStorageTables  = hostStorage + "__tableServiceUri"
	hostStorageAccount = hostStorage + "__accountName"
	hostStorageClient  = hostStorage + "__clientId"
)

// storageSuffixes are what the domains of storage accounts end with, by cloud.
var storageSuffixes = map[string]string{
	"public":       "core.windows.net",
	"usgovernment": "core.usgovcloudapi.net",
	"china":        "core.chinacloudapi.cn",
}

var accountName = regexp.MustCompile(`^[a-z0-9]{3,24}$`)

// openLedger returns the ledger, and makes sure that it can be written. It
// remembers how far the rules have run, what they reported and what is still to
// be sent. Its table has to be there, for one that was deleted must not be
// taken for a new one; only the emulator's is made here if create says so:
// whoever starts that begins anew.
func openLedger(ctx context.Context, s settings.Settings, log *slog.Logger, create bool) (*ledger.Ledger, error) {
	o, err := ledgerOptions(s)
	if err != nil {
		return nil, err
	}
	if o.ConnectionString == settings.InMemory {
		log.Warn("the ledger is in memory: when the process restarts, what was reported is forgotten and missed windows are not caught up")
		return ledger.NewMemory().Ledger, nil
	}
	t, err := ledger.Open(o)
	if err != nil {
		return nil, err
	}
	if create && ledger.IsDevelopmentStorage(o.ConnectionString) {
		switch made, err := t.Make(ctx); {
		case err != nil:
			return nil, err
		case made:
			log.Warn("the ledger's table was missing in the storage emulator and was made: nothing is known of what was reported before, if anything was", "table", s.TableName)
		}
	}
	if err := t.Check(ctx); err != nil {
		return nil, err
	}
	return t.Ledger, nil
}

// ledgerOptions says where the ledger is: where the settings say, else in the
// storage account of the host.
func ledgerOptions(s settings.Settings) (ledger.Options, error) {
	o := ledger.Options{
		Table: s.TableName, SeenRetention: s.SeenRetention, SentRetention: s.SentRetention,
		Endpoint: s.TableEndpoint, ConnectionString: string(s.TableConnection), Suffix: storageSuffixes[cmp.Or(s.Cloud, "public")],
	}
	place := ""
	if o.Endpoint == "" && o.ConnectionString == "" {
		account := os.Getenv(hostStorageAccount)
		switch {
		case os.Getenv(hostStorage) != "":
			o.ConnectionString, place = os.Getenv(hostStorage), hostStorage
		case os.Getenv(hostStorageTables) != "":
			o.Endpoint, place = os.Getenv(hostStorageTables), hostStorageTables
			if _, err := settings.ParseEndpoint(o.Endpoint); err != nil {
				return o, fmt.Errorf("the variable %s %s: expected %w", place, settings.Quoted(o.Endpoint), err)
			}
		case account != "":
			if !accountName.MatchString(account) {
				return o, fmt.Errorf("the variable %s %s: expected the name of a storage account, 3 to 24 small letters and digits", hostStorageAccount, settings.Quoted(account))
			}
			o.Endpoint, place = "https://"+account+".table."+o.Suffix, hostStorageAccount
		default:
			return o, fmt.Errorf("the ledger has no place: set %s_TABLE_ENDPOINT or %s_TABLE_CONNECTION (see handler --help), since %s is not set either",
				settings.Prefix, settings.Prefix, hostStorage)
		}
	}
	if o.ConnectionString == "" {
		cloud, err := workspace.Cloud(cmp.Or(s.Cloud, "public"))
		if err != nil {
			return o, err
		}
		o.ClientOptions = telemetry.ClientOptions(cloud)
		// The host's storage may have an identity of its own.
		if id := os.Getenv(hostStorageClient); place != "" && id != "" {
			o.Credential, err = azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: o.ClientOptions, ID: azidentity.ClientID(id)})
		} else {
			o.Credential, err = identity(o.ClientOptions)
		}
		if err != nil {
			return o, fmt.Errorf("the identity for the ledger: %w", err)
		}
	}
	if o.ConnectionString != settings.InMemory {
		if _, err := ledger.Open(o); err != nil && place != "" {
			return o, fmt.Errorf("the variable %s: %w", place, err)
		} else if err != nil {
			return o, err
		}
	}
	return o, nil
}

// checkRetention refuses to forget what a rule could still find again.
func checkRetention(s settings.Settings, rules []*rule.Rule) error {
	var errs []error
	for _, r := range rules {
		lateness := s.Lateness
		if s.Given("LATE_LOOK") {
			lateness = max(lateness, s.LateLook)
		}
		least := ledger.MinSeenRetention(r.QueryPeriod, lateness, s.CatchUp)
		if s.SeenRetention < least {
			errs = append(errs, fmt.Errorf("the setting %s_SEEN_RETENTION is %s: the rule %q needs at least %s, its query period with the lateness and the catch-up",
				settings.Prefix, s.SeenRetention, r.Name, least))
		}
	}
	return errors.Join(errs...)
}

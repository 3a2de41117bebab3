package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// The storage emulator's account, key and address are the same everywhere and
// published: https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
const (
	emulatorAccount = "devstoreaccount1"
	emulatorKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	emulatorPort    = "10002"
)

// connection is what a connection string says. It is secret: no error of this
// file repeats any part of a connection string but the names of its fields.
type connection struct {
	endpoint string // of the table service; with the SAS as its query, if there is one
	key      *aztables.SharedKeyCredential
}

// connectionFields are the fields that matter here, by their lower-case names.
var connectionFields = map[string]string{
	"usedevelopmentstorage":      "UseDevelopmentStorage",
	"developmentstorageproxyuri": "DevelopmentStorageProxyUri",
	"defaultendpointsprotocol":   "DefaultEndpointsProtocol",
	"accountname":                "AccountName",
	"accountkey":                 "AccountKey",
	"sharedaccesssignature":      "SharedAccessSignature",
	"tableendpoint":              "TableEndpoint",
	"endpointsuffix":             "EndpointSuffix",
}

// IsDevelopmentStorage reports whether a connection string is that of the
// emulator on this machine.
func IsDevelopmentStorage(connection string) bool {
	for part := range strings.SplitSeq(connection, ";") {
		name, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(name), "UseDevelopmentStorage") {
			return strings.EqualFold(strings.TrimSpace(value), "true")
		}
	}
	return false
}

// IsEmulatorElsewhere reports whether a connection string has the emulator's account
// and leads to Azure, since it does not say where the emulator serves tables.
func IsEmulatorElsewhere(connection string) bool {
	fields := map[string]string{}
	for part := range strings.SplitSeq(connection, ";") {
		name, value, _ := strings.Cut(part, "=")
		fields[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return strings.EqualFold(fields["accountname"], emulatorAccount) && fields["tableendpoint"] == "" && fields["endpointsuffix"] == "" && fields["usedevelopmentstorage"] == ""
}

// parseConnection reads a connection string of a storage account, whose domain has a
// suffix if it says none itself.
func parseConnection(text, suffix string) (connection, error) {
	fields := map[string]string{}
	for i, part := range strings.Split(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return connection{}, fmt.Errorf("part %d is not of the form name=value", i+1)
		}
		if known := connectionFields[strings.ToLower(strings.TrimSpace(name))]; known != "" {
			fields[known] = strings.TrimSpace(value)
		}
	}
	if use, ok := fields["UseDevelopmentStorage"]; ok {
		if !strings.EqualFold(use, "true") {
			return connection{}, errors.New("UseDevelopmentStorage can only be true")
		}
		host := fields["DevelopmentStorageProxyUri"]
		if host == "" {
			host = "http://127.0.0.1"
		}
		fields["AccountName"], fields["AccountKey"] = emulatorAccount, emulatorKey
		fields["TableEndpoint"] = strings.TrimSuffix(host, "/") + ":" + emulatorPort + "/" + emulatorAccount
	}

	account, endpoint := fields["AccountName"], fields["TableEndpoint"]
	if endpoint == "" {
		if account == "" {
			return connection{}, errors.New("it has neither AccountName nor TableEndpoint")
		}
		protocol, suffix := fields["DefaultEndpointsProtocol"], cmp.Or(fields["EndpointSuffix"], suffix, DefaultSuffix)
		if protocol == "" {
			protocol = "https"
		}
		endpoint = protocol + "://" + account + ".table." + suffix
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return connection{}, errors.New("its table endpoint is not an http or https address")
	}
	c := connection{endpoint: strings.TrimSuffix(endpoint, "/")}
	switch key, sas := fields["AccountKey"], fields["SharedAccessSignature"]; {
	case key != "":
		if account == "" {
			return connection{}, errors.New("it has an AccountKey but no AccountName")
		}
		if c.key, err = aztables.NewSharedKeyCredential(account, key); err != nil {
			return connection{}, errors.New("its AccountKey is not in base64: copy it whole, with the = at its end")
		}
	case sas != "":
		sas = strings.TrimPrefix(sas, "?")
		if _, err := url.ParseQuery(sas); err != nil {
			return connection{}, errors.New("its SharedAccessSignature is not a list of URL parameters")
		}
		c.endpoint += "/?" + sas
	default:
		return connection{}, errors.New("it has neither AccountKey nor SharedAccessSignature")
	}
	return c, nil
}

package alerts

import (
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// Entity is an entity as Sentinel's alerts have it: its Type, and its identifiers
// by name. https://learn.microsoft.com/azure/sentinel/entities-reference
type Entity map[string]string

// entityTypes are the types of entities as alerts write them, by those of rules.
var entityTypes = map[string]string{
	"Account": "account", "Host": "host", "IP": "ip", "URL": "url", "AzureResource": "azure-resource", "CloudApplication": "cloud-application",
	"DNS": "dns", "File": "file", "FileHash": "filehash", "Malware": "malware", "Process": "process", "RegistryKey": "registry-key",
	"RegistryValue": "registry-value", "SecurityGroup": "security-group", "IoTDevice": "iotdevice", "Mailbox": "mailbox",
	"MailCluster": "mail-cluster", "MailMessage": "mail-message", "SubmissionMail": "SubmissionMail",
}

// newEntity returns an alert's entity in Sentinel's form. A full name has none
// there: it is the parts that it is made of.
func newEntity(e alert.Entity) Entity {
	kind := entityTypes[e.Type]
	if kind == "" {
		kind = strings.ToLower(e.Type)
	}
	entity := Entity{"Type": kind}
	set := func(name, value string) {
		if value = text.CutBytes(strings.ToValidUTF8(value, "\uFFFD"), mostValue); value != "" && entity[name] == "" {
			entity[name] = value
		}
	}
	var full, name string
	for _, f := range e.Fields {
		switch {
		case f.Identifier == "FullName" && (e.Type == "Account" || e.Type == "Host"):
			full = f.Value
		case f.Identifier == "Name" && e.Type == "Account":
			name = f.Value
		case f.Identifier != "Type":
			set(f.Identifier, f.Value)
		}
	}
	switch e.Type {
	case "Account":
		for _, value := range []string{name, full} {
			domain, rest, slashed := strings.Cut(value, `\`)
			if slashed {
				set("NTDomain", domain)
				value = rest
			}
			// Since July 2026 a name is what stands before the @ alone.
			if i := strings.LastIndexByte(value, '@'); i > 0 {
				set("Name", value[:i])
				set("UPNSuffix", value[i+1:])
				continue
			}
			set("Name", value)
		}
	case "Host":
		domain, rest, slashed := strings.Cut(full, `\`)
		if slashed {
			set("NTDomain", domain)
			full = rest
		}
		host, suffix, _ := strings.Cut(full, ".")
		set("HostName", host)
		set("DnsDomain", suffix)
	}
	return entity
}

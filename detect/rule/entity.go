package rule

import (
	"slices"
	"strings"
)

// entityType is an entity that a rule can map, with what identifies it.
type entityType struct {
	name        string
	identifiers []string

	// sufficient lists the sets of identifiers of which Sentinel wants at
	// least one to be mapped whole.
	sufficient [][]string
}

// entityTypes is Sentinel's reference of entity types and identifiers:
// https://learn.microsoft.com/azure/sentinel/entities-reference
var entityTypes = []entityType{
	{
		"Account",
		[]string{"Name", "FullName", "NTDomain", "DnsDomain", "UPNSuffix", "Sid", "AadTenantId", "AadUserId", "PUID", "IsDomainJoined", "DisplayName", "ObjectGuid"},
		[][]string{{"FullName"}, {"Sid"}, {"Name"}, {"AadUserId"}, {"PUID"}, {"ObjectGuid"}},
	},
	{
		"Host",
		[]string{"DnsDomain", "NTDomain", "HostName", "FullName", "NetBiosName", "AzureID", "OMSAgentID", "OSFamily", "OSVersion", "IsDomainJoined"},
		[][]string{{"FullName"}, {"HostName"}, {"NetBiosName"}, {"AzureID"}, {"OMSAgentID"}},
	},
	{"IP", []string{"Address", "AddressScope"}, [][]string{{"Address"}}},
	{"URL", []string{"Url"}, [][]string{{"Url"}}},
	{"AzureResource", []string{"ResourceId"}, [][]string{{"ResourceId"}}},
	{"CloudApplication", []string{"AppId", "Name", "InstanceName"}, [][]string{{"AppId"}, {"Name"}}},
	{"DNS", []string{"DomainName"}, [][]string{{"DomainName"}}},
	{"File", []string{"Directory", "Name"}, [][]string{{"Name"}}},
	{"FileHash", []string{"Algorithm", "Value"}, [][]string{{"Algorithm", "Value"}}},
	{"Malware", []string{"Name", "Category"}, [][]string{{"Name"}}},
	{"Process", []string{"ProcessId", "CommandLine", "ElevationToken", "CreationTimeUtc"}, [][]string{{"CommandLine"}, {"ProcessId"}}},
	{"RegistryKey", []string{"Hive", "Key"}, [][]string{{"Hive"}, {"Key"}}},
	{"RegistryValue", []string{"Name", "Value", "ValueType"}, [][]string{{"Name"}}},
	{"SecurityGroup", []string{"DistinguishedName", "SID", "ObjectGuid"}, [][]string{{"DistinguishedName"}, {"SID"}, {"ObjectGuid"}}},
	{
		"IoTDevice",
		[]string{"DeviceId", "DeviceName", "Manufacturer", "Model", "FirmwareVersion", "OperatingSystem", "MacAddress", "Protocols", "SerialNumber", "Source", "IoTSecurityAgentId", "DeviceType"},
		[][]string{{"DeviceId"}},
	},
	{"Mailbox", []string{"MailboxPrimaryAddress", "DisplayName", "Upn", "ExternalDirectoryObjectId", "RiskLevel"}, [][]string{{"MailboxPrimaryAddress"}}},
	{
		"MailCluster",
		[]string{
			"NetworkMessageIds", "CountByDeliveryStatus", "CountByThreatType", "CountByProtectionStatus", "Threats", "Query", "QueryTime", "MailCount",
			"IsVolumeAnomaly", "Source", "ClusterSourceIdentifier", "ClusterSourceType", "ClusterQueryStartTime", "ClusterQueryEndTime", "ClusterGroup",
		},
		[][]string{{"Query"}, {"Source"}},
	},
	{
		"MailMessage",
		[]string{
			"Recipient", "Urls", "Threats", "Sender", "P1Sender", "P1SenderDisplayName", "P1SenderDomain", "SenderIP", "P2Sender", "P2SenderDisplayName",
			"P2SenderDomain", "ReceivedDate", "NetworkMessageId", "InternetMessageId", "Subject", "BodyFingerprintBin1", "BodyFingerprintBin2",
			"BodyFingerprintBin3", "BodyFingerprintBin4", "BodyFingerprintBin5", "AntispamDirection", "DeliveryAction", "DeliveryLocation", "Language",
			"ThreatDetectionMethods",
		},
		[][]string{{"NetworkMessageId"}, {"Recipient"}},
	},
	{
		"SubmissionMail",
		[]string{"NetworkMessageId", "Timestamp", "Recipient", "Sender", "SenderIp", "Subject", "ReportType", "SubmissionId", "SubmissionDate", "Submitter"},
		[][]string{{"SubmissionId"}, {"NetworkMessageId"}, {"Recipient"}, {"Submitter"}},
	},
}

// sentinelEntities is the entity type whose only identifier maps a column with a
// whole list of entities: what sentinelEntitiesMappings does too.
const (
	sentinelEntities   = "SentinelEntities"
	entitiesIdentifier = "Entities"
)

// entityTypeNames lists the names of entityTypes in their order.
var entityTypeNames = func() []string {
	names := make([]string, len(entityTypes))
	for i, e := range entityTypes {
		names[i] = e.name
	}
	return names
}()

// IsAddress reports whether an identifier of an entity type is an IP address.
func IsAddress(entityType, identifier string) bool {
	switch entityType + " " + identifier {
	case "IP Address", "MailMessage SenderIP", "SubmissionMail SenderIp":
		return true
	}
	return false
}

// entityTypeNamed finds an entity type without regard to case.
func entityTypeNamed(name string) (entityType, bool) {
	for _, e := range entityTypes {
		if strings.EqualFold(e.name, name) {
			return e, true
		}
	}
	return entityType{}, false
}

// identifiedBy reports whether the mapped identifiers can identify the entity.
func (e entityType) identifiedBy(mapped map[string]bool) bool {
	for _, set := range e.sufficient {
		all := true
		for _, identifier := range set {
			all = all && mapped[identifier]
		}
		if all {
			return true
		}
	}
	return false
}

// sufficientList says which identifiers would do, such as "AppId or Name".
func (e entityType) sufficientList() string {
	sets := make([]string, len(e.sufficient))
	for i, set := range e.sufficient {
		sets[i] = strings.Join(set, " and ")
	}
	return orList(sets)
}

// EntityType returns the name and the identifiers of an entity type as Sentinel
// spells them. It takes the spellings that lists of entities have too, such as
// cloud-application.
func EntityType(name string) (canonical string, identifiers []string, ok bool) {
	name = strings.ReplaceAll(strings.TrimSpace(name), "-", "")
	if strings.EqualFold(name, "dnsresolution") {
		name = "DNS"
	}
	e, ok := entityTypeNamed(name)
	return e.name, slices.Clone(e.identifiers), ok
}

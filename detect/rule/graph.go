package rule

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Custom detection rules of Microsoft Defender, as Graph returns them:
// https://learn.microsoft.com/graph/api/resources/security-detectionrule
// Both forms are read: the properties that the first version of the API had, such
// as period and impactedAssets, and those that took their place.

// namesTimestamp finds the column of time that tables have in Defender, and setsTimestamp
// a query that makes one of its own.
var (
	namesTimestamp = regexp.MustCompile(`\b` + defenderTime + `\b`)
	setsTimestamp  = regexp.MustCompile(`\b` + defenderTime + `\s*=[^=~]`)
)

// detection takes a custom detection rule as a mapping with the keys of a rule in YAML.
func (c *collector) detection(n *yaml.Node) {
	m, ok := mapOf(n), true
	move := func(key string, from *yaml.Node, path ...string) *yaml.Node {
		for _, step := range path {
			if from != nil {
				from = get(from, step)
			}
		}
		if !isNull(from) {
			set(m, key, from)
		}
		return from
	}
	names := []*yaml.Node{get(n, "id"), get(n, "detectorId"), get(n, "displayName")}
	if guid := get(n, "detectorId"); !isNull(guid) && guidForm.MatchString(guid.Value) {
		names = []*yaml.Node{guid}
	}
	if id := get(n, "id"); !isNull(id) && (guidForm.MatchString(id.Value) || len(names) > 1) {
		names = []*yaml.Node{id}
	}
	c.setID(m, n, names...)
	name := move("name", n, "displayName")
	query := move("query", n, "queryCondition", "queryText")
	if query == nil {
		c.errorf(get(n, "queryCondition"), "queryText is missing: it is the KQL that the rule runs")
		ok = false
	}
	set(m, "triggerOperator", textNode(n, "gt"))
	set(m, "triggerThreshold", textNode(n, "0"))

	if enabled := get(n, "isEnabled"); !isNull(enabled) {
		set(m, "enabled", enabled)
	} else if status := get(n, "status"); !isNull(status) && strings.Contains(strings.ToLower(status.Value), "disabled") {
		set(m, "enabled", scalarAt(status, "false")) // by somebody, or by Defender because it failed
	}
	ok = c.detectionSchedule(m, n) && ok

	action := get(n, "detectionAction")
	var template *yaml.Node
	if action != nil {
		template = get(action, "alertTemplate")
		for _, key := range []string{"responseActions", "automatedActions"} {
			if actions := get(action, key); actions != nil && len(actions.Content) > 0 && !onlyTypes(actions) {
				c.warnf(actions, "%s are ignored: Pushback reports, and acts on no device and no account", key)
			}
		}
		if scope := get(action, "organizationalScope"); scope != nil && len(scope.Content) > 0 {
			c.warnf(scope, "organizationalScope is ignored: the query covers all that the workspace holds")
		}
	}
	if template == nil || template.Kind != yaml.MappingNode {
		c.errorf(n, "detectionAction.alertTemplate is missing: it has the alert's title and severity")
		return
	}
	c.alertTemplate(m, template, name)
	retimed := query != nil && len(timeNames(query.Value)) > 0 && !namesTime(m)
	switch {
	case retimed:
		c.warnf(query, "the query names Timestamp, which tables have in Defender: it is read as TimeGenerated, which they have in a workspace")
	case query != nil && namesTimestamp.MatchString(query.Value) && !setsTimestamp.MatchString(query.Value):
		c.warnf(query, "the query names Timestamp, which tables have in Defender: in a workspace they have TimeGenerated instead")
	}
	if ok {
		c.rules = append(c.rules, found{node: m, defender: true, retimed: retimed})
	}
}

// onlyTypes reports whether nothing in an object says more than its type.
func onlyTypes(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if value := resolve(n.Content[i+1]); !strings.HasPrefix(n.Content[i].Value, "@") && !isNull(value) && (value.Kind == yaml.ScalarNode || len(value.Content) > 0) {
			return false
		}
	}
	return true
}

// defenderDay is from which frequency on a rule looks back over a month.
const defenderDay = day

// detectionSchedule sets how often a rule runs and how far back it looks. A period of
// 0 is a rule that runs all the time. What a rule does not say is what Defender does:
// four times the frequency, or 30 days if that is a day or more. It returns whether
// the schedule is one.
func (c *collector) detectionSchedule(m, n *yaml.Node) bool {
	schedule := get(n, "schedule")
	if isNull(schedule) {
		c.errorf(n, "schedule is missing: give it a frequency, such as PT1H, or a period of 0, 1H, 3H, 12H or 24H")
		return false
	}
	key, right := "frequency", "such as PT1H"
	value := get(schedule, key)
	if isNull(value) {
		key, right = "period", "such as 0, 1H, 3H, 12H or 24H"
		value = get(schedule, key)
	}
	if isNull(value) || value.Kind != yaml.ScalarNode {
		c.errorf(schedule, "schedule has no frequency: give it one, such as PT1H, or a period of 0, 1H, 3H, 12H or 24H")
		return false
	}
	text := strings.TrimSpace(value.Value)
	if text == "0" || isoDuration.MatchString(strings.ToUpper(text)) && strings.Trim(strings.ToUpper(text), "PTDHMS0") == "" {
		set(m, "kind", scalarAt(value, kindNames[NRT]))
		return true
	}
	frequency, err := parseDuration(text)
	if err != nil {
		frequency, _, err = readLoosely(text) // 24H
	}
	if err != nil {
		c.errorf(value, "the schedule's %s is %q: write a number and M, H or D, %s", key, clip(text), right)
		return false
	}
	set(m, "queryFrequency", scalarAt(value, formatDuration(frequency)))
	if lookback := get(schedule, "lookback"); !isNull(lookback) {
		set(m, "queryPeriod", lookback)
		return true
	}
	period := 4 * frequency
	if frequency >= defenderDay {
		period = max(30*day, frequency)
	}
	set(m, "queryPeriod", scalarAt(value, formatDuration(min(period, longestDuration).Truncate(time.Second))))
	return true
}

// alertTemplate sets what the rule's alerts say.
func (c *collector) alertTemplate(m, template, name *yaml.Node) {
	override := mapOf(template)
	if title := get(template, "title"); !isNull(title) {
		switch {
		case isNull(name):
			set(m, "name", title)
		case title.Value != name.Value:
			set(override, displayNameKey, title)
		}
	}
	if description := get(template, "description"); !isNull(description) {
		set(m, "description", description)
		if strings.Contains(description.Value, "{{") {
			set(override, descriptionKey, description)
		}
	}
	if len(override.Content) > 0 {
		set(m, "alertDetailsOverride", override)
	}
	if severity := get(template, "severity"); !isNull(severity) {
		set(m, "severity", severity)
	}
	if actions := get(template, "recommendedActions"); !isNull(actions) && strings.TrimSpace(actions.Value) != "" {
		set(m, "pushback", mapOf(actions, "remediation", actions))
	}

	var tacticNodes, techniqueNodes, tags []*yaml.Node
	addTactic := func(n *yaml.Node) {
		switch name, known := canonical(strings.ReplaceAll(n.Value, " ", ""), tactics); {
		case !known:
			tags = append(tags, scalarAt(n, "Category: "+n.Value))
		case !slices.ContainsFunc(tacticNodes, func(t *yaml.Node) bool { return t.Value == name }):
			tacticNodes = append(tacticNodes, scalarAt(n, name))
		}
	}
	addTechnique := func(n *yaml.Node) {
		if !isNull(n) && !slices.ContainsFunc(techniqueNodes, func(t *yaml.Node) bool { return t.Value == n.Value }) {
			techniqueNodes = append(techniqueNodes, n)
		}
	}
	for _, t := range elements(template, "tactics") {
		if tactic := get(t, "tactic"); !isNull(tactic) {
			addTactic(tactic)
		}
		for _, technique := range elements(t, "techniques") {
			addTechnique(get(technique, "technique"))
			for _, sub := range elements(technique, "subTechniques") {
				addTechnique(sub)
			}
		}
	}
	if category := get(template, "category"); !isNull(category) && strings.TrimSpace(category.Value) != "" {
		addTactic(category)
	}
	for _, technique := range elements(template, "mitreTechniques") {
		addTechnique(technique)
	}
	setList(m, "tactics", tacticNodes)
	setList(m, "relevantTechniques", techniqueNodes)
	setList(m, "tags", tags)

	if details := get(template, "customDetails"); details != nil && details.Kind == yaml.MappingNode {
		own := mapOf(details)
		for i := 0; i+1 < len(details.Content); i += 2 {
			if key := details.Content[i]; !strings.HasPrefix(key.Value, "@") {
				own.Content = append(own.Content, key, details.Content[i+1])
			}
		}
		if len(own.Content) > 0 {
			set(m, "customDetails", own)
		}
	}
	if kind := get(template, "eventGroupingKind"); isNull(kind) || !strings.EqualFold(kind.Value, "singleAlert") {
		set(m, "eventGroupingSettings", mapOf(template, "aggregationKind", textNode(template, groupingNames[AlertPerResult])))
	}
	setList(m, "entityMappings", append(c.entityMappings(template), c.impactedAssets(template)...))
}

// elements returns the elements of the list that a key has.
func elements(n *yaml.Node, key string) []*yaml.Node {
	list := get(n, key)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]*yaml.Node, len(list.Content))
	for i, item := range list.Content {
		items[i] = resolve(item)
	}
	return items
}

// mappingOf returns an entity mapping as YAML has it.
func mappingOf(at *yaml.Node, entity string, fields []*yaml.Node) *yaml.Node {
	m := mapOf(at, "entityType", textNode(at, entity))
	setList(m, "fieldMappings", fields)
	return m
}

// detectionEntities says which entity each list of entityMappings is of.
var detectionEntities = []struct{ list, entity string }{
	{"accounts", "Account"}, {"hosts", "Host"}, {"ips", "IP"}, {"urls", "URL"}, {"dns", "DNS"}, {"files", "File"}, {"processes", "Process"},
	{"registryValues", "RegistryValue"}, {"mailboxes", "Mailbox"}, {"mailMessages", "MailMessage"}, {"mailClusters", "MailCluster"},
	{"securityGroups", "SecurityGroup"}, {"cloudApplications", "CloudApplication"}, {"oAuthApplications", "CloudApplication"},
	{"azureResources", "AzureResource"}, {"amazonResources", "AzureResource"}, {"googleCloudResources", "AzureResource"},
}

// detectionColumns says which identifier a property of a mapping gives, where it is not
// called as Sentinel calls it. One with another entity before a dot is a mapping of that.
var detectionColumns = map[string]string{
	"Account upn": "FullName", "Host deviceId": "AzureID", "Host name": "HostName", "IP scope": "AddressScope",
	"File sha1": "FileHash.Value", "File sha256": "FileHash.Value", "File md5": "FileHash.Value",
	"Process sha1": "FileHash.Value", "Process sha256": "FileHash.Value",
	"RegistryValue key": "RegistryKey.Key", "RegistryValue valueName": "Name", "SecurityGroup objectId": "ObjectGuid",
	"Mailbox primaryAddress": "MailboxPrimaryAddress", "Mailbox address": "MailboxPrimaryAddress", "DNS name": "DomainName",
	"AzureResource id": "ResourceId", "AzureResource amazonResourceId": "ResourceId", "AzureResource fullResourceName": "ResourceId",
	"CloudApplication applicationId": "AppId", "CloudApplication oAuthAppId": "AppId", "CloudApplication id": "AppId",
}

// entityMappings reads the entities of a template, whose properties name columns.
func (c *collector) entityMappings(template *yaml.Node) (mappings []*yaml.Node) {
	config := get(template, "entityMappings")
	if isNull(config) {
		return nil
	}
	for _, list := range detectionEntities {
		for _, item := range elements(config, list.list) {
			if item.Kind != yaml.MappingNode {
				continue
			}
			fields := map[string][]*yaml.Node{}
			var order []string
			for i := 0; i+1 < len(item.Content); i += 2 {
				key, column := resolve(item.Content[i]), resolve(item.Content[i+1])
				property, isColumn := strings.CutSuffix(key.Value, "Column")
				if !isColumn || isNull(column) {
					continue
				}
				entity, identifier, ok := detectionIdentifier(list.entity, property)
				if !ok {
					c.warnf(key, "%s is ignored: %s has no such identifier", clip(key.Value), list.entity)
					continue
				}
				if fields[entity] == nil {
					order = append(order, entity)
				}
				fields[entity] = append(fields[entity], mapOf(key, "identifier", scalarAt(key, identifier), "columnName", column))
			}
			for _, entity := range order {
				if entity == list.entity {
					mappings = append(mappings, mappingOf(item, entity, fields[entity]))
					continue
				}
				for _, field := range fields[entity] { // each hash is one of its own
					mappings = append(mappings, mappingOf(item, entity, []*yaml.Node{field}))
				}
			}
		}
	}
	return mappings
}

// detectionIdentifier returns the entity and the identifier that a property gives.
func detectionIdentifier(entity, property string) (of, identifier string, ok bool) {
	identifier = detectionColumns[entity+" "+property]
	if other, name, cut := strings.Cut(identifier, "."); cut {
		return other, name, true
	}
	if identifier == "" {
		identifier = property
	}
	known, _ := entityTypeNamed(entity)
	identifier, ok = canonical(identifier, known.identifiers)
	return entity, identifier, ok
}

// impactedAssets reads the entities of a template in the older form: an asset's
// identifier is the name of its column.
func (c *collector) impactedAssets(template *yaml.Node) (mappings []*yaml.Node) {
	for _, asset := range elements(template, "impactedAssets") {
		identifier := get(asset, "identifier")
		if isNull(identifier) || identifier.Value == "" {
			continue
		}
		typ := ""
		if t := get(asset, "@odata.type"); t != nil {
			typ = t.Value
		}
		entity, name := assetIdentifier(typ, identifier.Value)
		column := scalarAt(identifier, strings.ToUpper(identifier.Value[:1])+identifier.Value[1:])
		field := mapOf(identifier, "identifier", scalarAt(identifier, name), "columnName", column)
		mappings = append(mappings, mappingOf(asset, entity, []*yaml.Node{field}))
	}
	return mappings
}

// assetIdentifier returns the entity and the identifier that the column of an impacted
// asset gives. Its name says which: accountUpn, initiatingAccountSid, deviceId.
func assetIdentifier(typ, identifier string) (entity, name string) {
	has := func(part string) bool { return strings.HasSuffix(strings.ToLower(identifier), part) }
	switch {
	case strings.HasSuffix(typ, "impactedDeviceAsset") && has("id"), typ == "" && has("deviceid"):
		return "Host", "AzureID"
	case strings.HasSuffix(typ, "impactedDeviceAsset"), typ == "" && has("devicename"):
		return "Host", "FullName"
	case strings.HasSuffix(typ, "impactedMailboxAsset") && has("displayname"):
		return "Mailbox", "DisplayName"
	case strings.HasSuffix(typ, "impactedMailboxAsset"):
		return "Mailbox", "MailboxPrimaryAddress"
	case has("objectid"), has("accountid"), has("principalid"):
		return "Account", "AadUserId"
	case has("sid"):
		return "Account", "Sid"
	case has("upn"):
		return "Account", "FullName"
	case has("domain"):
		return "Account", "NTDomain"
	}
	return "Account", "Name"
}

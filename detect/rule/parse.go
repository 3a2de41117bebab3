package rule

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
	"pushback/detect/input"
	"pushback/detect/secret"
)

// Sentinel's own limits. Pushback runs a rule beyond them and warns: the rule
// could not be taken back to Sentinel.
const (
	maxQueryLength     = 10_000
	maxNameLength      = 256
	maxDescription     = 5_000
	maxThreshold       = 10_000
	maxEntityMappings  = 10
	maxEntityColumns   = 5
	maxCustomDetails   = 20
	maxDetailName      = 20
	maxFormatColumns   = 3
	leastSchedule      = time.Minute
	shortestSchedule   = 5 * time.Minute
	longestSchedule    = 14 * day
	longPeriod         = 2 * day
	longPeriodSchedule = time.Hour
	defaultLookback    = 5 * time.Hour
)

var (
	guidForm       = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	techniqueForm  = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	detailNameForm = regexp.MustCompile(`^[a-zA-Z]\w*$`)
)

// tactics are MITRE's tactics as Sentinel spells them.
var tactics = []string{
	"Reconnaissance", "ResourceDevelopment", "InitialAccess", "Execution", "Persistence", "PrivilegeEscalation", "DefenseEvasion",
	"CredentialAccess", "Discovery", "LateralMovement", "Collection", "CommandAndControl", "Exfiltration", "Impact", "PreAttack",
	"ImpairProcessControl", "InhibitResponseFunction",
}

// spacedTactics are those of several words, as MITRE spells them.
var spacedTactics = []string{
	"Resource Development", "Initial Access", "Privilege Escalation", "Defense Evasion", "Credential Access", "Lateral Movement",
	"Command And Control", "Impair Process Control", "Inhibit Response Function",
}

// otherKinds are rules that Sentinel has and that do not run a query of theirs.
var otherKinds = []string{"Fusion", "MicrosoftSecurityIncidentCreation", "MLBehaviorAnalytics", "ThreatIntelligence", "Anomaly", "Hunting"}

// operatorCodes are the short names of the operators, in their order.
var operatorCodes = []string{GreaterThan: "gt", LessThan: "lt", Equal: "eq", NotEqual: "ne"}

var alertProperties = []string{
	"AlertLink", "ConfidenceLevel", "ConfidenceScore", "ExtendedLinks", "ProductComponentName", "ProductName", "ProviderName",
	"RemediationSteps", "Techniques", "SubTechniques",
}

var groupableAlertDetails = []string{"DisplayName", "Severity"}

// Parse reads a rule from the text of a YAML file; file is its name in
// messages. It reports everything that is wrong at once, in the order of the
// file. The rule is nil if any of it is an error.
func Parse(file string, data []byte) (*Rule, []Problem) {
	draft, problems := parse(file, data)
	if hasError(problems) {
		return nil, problems
	}
	return draft, problems
}

// Draft returns what can be read of the rule in a file that has errors, so that all
// else that is wrong with it is found too. It is nil if nothing can.
func Draft(path string) *Rule {
	data, err := readRule(path)
	if err != nil || isJSON(path, data) { // an export is whole, or it is not read
		return nil
	}
	draft, _ := parse(path, data)
	return draft
}

// parse reads a rule as far as it can be read.
func parse(file string, data []byte) (*Rule, []Problem) {
	root, src, problem := readDocument(file, data)
	if problem != nil {
		return nil, withoutSecrets([]Problem{*problem}, data)
	}
	r, problems := parseRule(file, data, src, found{node: root})
	return r, withoutSecrets(problems, data)
}

// parseRule reads a rule from a mapping, as far as it can be read.
func parseRule(file string, data []byte, src *source, f found) (*Rule, []Problem) {
	p := &parser{
		reader: reader{file: file, source: src, at: map[string]position{}},
		rule: &Rule{File: file, Incident: IncidentConfiguration{
			CreateIncident: true,
			Grouping:       IncidentGrouping{LookbackDuration: defaultLookback},
		}},
		defender: f.defender,
		retimed:  f.retimed,
	}
	p.rule.at = p.at
	p.read(f.node)
	sortProblems(p.problems)
	sortProblems(p.rule.caseProblems)
	p.rule.caseProblems = withoutSecrets(p.rule.caseProblems, data)
	return p.rule, p.problems
}

// withoutSecrets hides in problems what they quote of the secrets in a file, such
// as a signature that was pasted into a query.
func withoutSecrets(problems []Problem, data []byte) []Problem {
	if len(problems) == 0 {
		return problems
	}
	text, err := input.Text(data[:min(len(data), maxFileSize)])
	if err != nil {
		return problems // nothing of it was read
	}
	hide := secret.EchoHider(text)
	for i := range problems {
		problems[i].Message = hide(problems[i].Message)
	}
	return problems
}

// parser reads a document into a rule.
type parser struct {
	reader
	rule     *Rule
	defender bool // the limits of Sentinel are not those of the rule
	retimed  bool // its query is to name the column of time as a workspace does
	// own says that the contexts are those that Pushback brings itself, the files of
	// whose queries readOwn reads.
	own     bool
	readOwn func(name string) ([]byte, error)
}

// version reads the version. It is shown, logged and sent with every query, so
// what looks like a secret in it is hidden.
func (p *parser) version(n *yaml.Node) {
	text, _ := p.optionalText(n, "version")
	p.rule.Version = secret.Hide(text)
}

// read reads the file's mapping, and then checks what depends on several keys.
func (p *parser) read(root *yaml.Node) {
	r := p.rule
	set := p.mapping(root, "", map[string]field{
		"id":                       p.id,
		"name":                     p.name,
		"displayName":              p.name, // as the API calls it
		"description":              p.description,
		"version":                  p.version,
		"templateVersion":          nil,
		"status":                   func(n *yaml.Node) { r.Status, _ = p.optionalText(n, "status") },
		"kind":                     p.kind,
		"severity":                 p.severity,
		"enabled":                  func(n *yaml.Node) { enabled, ok := p.truth(n, "enabled"); r.Disabled = ok && !enabled },
		"requiredDataConnectors":   p.connectors,
		"queryFrequency":           nil, // read by schedule
		"queryPeriod":              nil,
		"triggerOperator":          p.triggerOperator,
		"triggerThreshold":         p.triggerThreshold,
		"tactics":                  p.tactics,
		"relevantTechniques":       func(n *yaml.Node) { p.techniques(n, "relevantTechniques") },
		"techniques":               func(n *yaml.Node) { p.techniques(n, "techniques") },
		"subTechniques":            func(n *yaml.Node) { p.techniques(n, "subTechniques") },
		"tags":                     p.tags,
		"query":                    p.query,
		"entityMappings":           p.entityMappings,
		"sentinelEntitiesMappings": p.sentinelEntities,
		"customDetails":            p.customDetails,
		"alertDetailsOverride":     p.alertDetails,
		"eventGroupingSettings":    p.eventGrouping,
		"suppressionEnabled": func(n *yaml.Node) {
			r.SuppressionEnabled, _ = p.truth(n, "suppressionEnabled")
		},
		"suppressionDuration": func(n *yaml.Node) {
			r.SuppressionDuration, _ = p.duration(n, "suppressionDuration")
		},
		"incidentConfiguration": p.incident,
		"pushback":              p.extension,

		// Published with rules, and of no use for running them.
		"metadata":              nil,
		"author":                nil,
		"references":            nil,
		"alertRuleTemplateName": nil,
		"lastModifiedUtc":       nil,
		"startTimeUtc":          nil,
		"etag":                  nil,
		"type":                  nil,
	})
	p.checkRequired(root, set)
	p.schedule(set)
	p.checkIncident()
	p.checkContext()
}

// requirement is a key that a rule must have, with what would be right.
type requirement struct{ key, right string }

var (
	alwaysRequired = []requirement{
		{"id", "give the rule a GUID of its own"},
		{"name", "say in a few words what the rule finds"},
		{"severity", "use High, Medium, Low or Informational"},
		{"query", "it is the KQL that the rule runs"},
	}
	requiredOfScheduled = []requirement{
		{"queryFrequency", "how often the rule runs, such as 1h"},
		{"queryPeriod", "how far back each run looks, such as 1h"},
		{"triggerOperator", "use gt, lt, eq or ne"},
		{"triggerThreshold", "the number of rows to compare with, such as 0"},
	}
)

// checkRequired reports the keys that are missing.
func (p *parser) checkRequired(root *yaml.Node, set map[string]*yaml.Node) {
	if p.drawing() {
		p.draw.mustHave(root, alwaysRequired, requiredOfScheduled)
		return
	}
	required := slices.Clone(alwaysRequired)
	if p.rule.Kind == Scheduled {
		required = append(required, requiredOfScheduled...)
	}
	if p.rule.SuppressionEnabled {
		required = append(required, requirement{"suppressionDuration", "with suppressionEnabled it says for how long, such as 5h"})
	}
	for _, r := range required {
		value, found := set[r.key]
		if r.key == "name" && !found {
			value, found = set["displayName"]
		}
		switch {
		case !found:
			p.errorf(root, "%s is missing: %s", r.key, r.right)
		case isNull(value):
			p.errorf(value, "%s has no value: %s", r.key, r.right)
		}
	}
}

// schedule reads the frequency and the period. It runs once the kind is known:
// Sentinel schedules NRT rules by itself, and exports them with a frequency of
// zero, so what they say there cannot be wrong.
func (p *parser) schedule(set map[string]*yaml.Node) {
	r := p.rule
	for _, key := range []string{"queryFrequency", "queryPeriod"} {
		n, to := set[key], &r.QueryFrequency
		if key == "queryPeriod" {
			to = &r.QueryPeriod
		}
		switch {
		case isNull(n):
		case r.Kind == NRT:
			if d, err := parseDuration(n.Value); err == nil {
				*to = d
			}
		default:
			*to = p.scheduled(n, key)
		}
	}
	frequency, period := r.QueryFrequency, r.QueryPeriod
	if r.Kind == NRT || frequency == 0 || period == 0 {
		return
	}
	switch {
	case period < frequency:
		p.errorf(set["queryPeriod"], "queryPeriod %s is shorter than queryFrequency %s, so that logs between two runs would never be looked at: make the period %s or longer",
			formatDuration(period), formatDuration(frequency), formatDuration(frequency))
	case period >= longPeriod && frequency < longPeriodSchedule && !p.defender:
		p.warnf(set["queryFrequency"], "queryFrequency %s with a queryPeriod of %s is more than Sentinel accepts: it wants 1h or more where the period is 2d or more",
			formatDuration(frequency), formatDuration(period))
	}
}

// scheduled reads one duration of a schedule.
func (p *parser) scheduled(n *yaml.Node, what string) time.Duration {
	d, ok := p.duration(n, what)
	if ok && d < leastSchedule {
		p.errorf(n, "%s %s is less than %s, the least that is run: each run is a query", what, formatDuration(d), formatDuration(leastSchedule))
		return d
	}
	if ok && (d < shortestSchedule || d > longestSchedule) && !p.defender {
		p.warnf(n, "%s %s is not what Sentinel accepts: 5m to 14d", what, formatDuration(d))
	}
	return d
}

// idKind marks the GUIDs that are made of the ids of rules.
const idKind = "rule id"

// id reads the rule's id. Much that keeps or shows it needs a GUID.
func (p *parser) id(n *yaml.Node) {
	value, ok := p.text(n, "id")
	if !ok {
		return
	}
	p.rule.ID = value
	if !guidForm.MatchString(value) {
		p.rule.ID = alert.NewGUID(idKind, value)
		p.warnf(n, "id %q is not a GUID: the rule is known by %s, which is made of it", clip(value), p.rule.ID)
	}
	p.note("id", n)
}

func (p *parser) name(n *yaml.Node) {
	value, ok := p.text(n, "name")
	if !ok {
		return
	}
	if p.rule.Name != "" {
		p.warnf(n, "name and displayName are both set: %q is used", clip(p.rule.Name))
		return
	}
	p.rule.Name = value
	p.limit(n, "name", value, maxNameLength)
}

func (p *parser) description(n *yaml.Node) {
	value, ok := p.optionalText(n, "description")
	if !ok {
		return
	}
	// Many published rules quote the text inside of a block, where quotes are
	// text themselves.
	for _, quote := range []string{"'", `"`} {
		inner, opened := strings.CutPrefix(value, quote)
		inner, closed := strings.CutSuffix(inner, quote)
		if opened && closed {
			value = strings.TrimSpace(inner)
			break
		}
	}
	p.rule.Description = value
	p.limit(n, "description", value, maxDescription)
}

// limit warns of a text that Sentinel would not accept.
func (p *parser) limit(n *yaml.Node, what, value string, longest int) {
	if length := utf8.RuneCountInString(value); length > longest && !p.defender {
		p.warnf(n, "%s has %d characters: Sentinel accepts %d", what, length, longest)
	}
}

func (p *parser) kind(n *yaml.Node) {
	p.among(n, kindNames)
	value, ok := p.optionalText(n, "kind")
	if !ok {
		return
	}
	if other, ok := canonical(value, otherKinds); ok {
		p.errorf(n, "kind %s has no query to run: Pushback runs Scheduled and NRT rules", other)
		return
	}
	if i, ok := p.choice(n, "kind", kindNames); ok {
		p.rule.Kind = Kind(i)
	}
}

func (p *parser) severity(n *yaml.Node) {
	p.among(n, severityNames)
	value, ok := p.text(n, "severity")
	if !ok {
		return
	}
	severity, err := alert.ParseSeverity(value)
	if err != nil {
		p.errorf(n, "severity: %v", err)
		return
	}
	p.rule.Severity = severity
}

func (p *parser) connectors(n *yaml.Node) {
	p.list(n, "requiredDataConnectors", func(_ int, item *yaml.Node) {
		var c Connector
		p.mapping(item, "requiredDataConnectors", map[string]field{
			"connectorId": func(n *yaml.Node) { c.ConnectorID, _ = p.optionalText(n, "connectorId") },
			"dataTypes":   func(n *yaml.Node) { c.DataTypes = p.texts(n, "dataTypes") },
		})
		p.rule.RequiredDataConnectors = append(p.rule.RequiredDataConnectors, c)
	})
}

func (p *parser) triggerOperator(n *yaml.Node) {
	p.among(n, slices.Concat(operatorCodes, operatorNames))
	value, ok := p.text(n, "triggerOperator")
	if !ok {
		return
	}
	for _, names := range [][]string{operatorCodes, operatorNames} {
		if name, ok := canonical(value, names); ok {
			p.rule.Trigger.Operator = Operator(slices.Index(names, name))
			return
		}
	}
	p.errorf(n, "triggerOperator is %q: use gt, lt, eq or ne (GreaterThan, LessThan, Equal or NotEqual)", clip(value))
}

func (p *parser) triggerThreshold(n *yaml.Node) {
	p.like(n, `^\s*\d+\s*$`)
	value, ok := p.text(n, "triggerThreshold")
	if !ok {
		return
	}
	threshold, err := strconv.ParseInt(value, 10, 32)
	if err != nil || threshold < 0 {
		p.errorf(n, "triggerThreshold is %q: it must be a whole number of rows, 0 or more", clip(value))
		return
	}
	p.rule.Trigger.Threshold = int(threshold)
	if threshold > maxThreshold {
		p.warnf(n, "triggerThreshold %d is more than Sentinel accepts: %d", threshold, maxThreshold)
	}
}

func (p *parser) tactics(n *yaml.Node) {
	p.words(n, "tactics", func(item *yaml.Node, value string) {
		p.among(item, slices.Concat(tactics, spacedTactics))
		name, ok := canonical(strings.ReplaceAll(value, " ", ""), tactics)
		if !ok {
			p.errorf(item, "tactic %q is unknown%s", clip(value), oneOf(value, tactics))
			return
		}
		p.rule.Tactics = append(p.rule.Tactics, name)
	})
}

func (p *parser) techniques(n *yaml.Node, what string) {
	p.words(n, what, func(item *yaml.Node, value string) {
		p.like(item, `^\s*[Tt]\d{4}(\.\d{3})?\s*$`)
		id := strings.ToUpper(value)
		if !techniqueForm.MatchString(id) {
			p.errorf(item, "technique %q is not a MITRE technique: write it as T1078 or T1078.004", clip(value))
			return
		}
		p.rule.Techniques = append(p.rule.Techniques, id)
	})
}

// tags reads the shapes in which tags are published: a list of texts, a list of
// mappings, a mapping, or one text.
func (p *parser) tags(n *yaml.Node) {
	if p.anything(n) {
		return
	}
	n = resolve(n)
	switch n.Kind {
	case yaml.SequenceNode:
		p.list(n, "tags", func(_ int, item *yaml.Node) { p.tags(item) })
	case yaml.MappingNode:
		p.pairs(n, "tags", func(key string, _, value *yaml.Node) {
			switch {
			case isNull(value):
				p.rule.Tags = append(p.rule.Tags, key)
			case value.Kind == yaml.SequenceNode:
				for _, v := range p.texts(value, "tags "+key) {
					p.rule.Tags = append(p.rule.Tags, key+": "+v)
				}
			default:
				if v, ok := p.text(value, "tags "+key); ok {
					p.rule.Tags = append(p.rule.Tags, key+": "+v)
				}
			}
		})
	default:
		if tag, ok := p.text(n, "an item of tags"); ok {
			p.rule.Tags = append(p.rule.Tags, tag)
		}
	}
}

func (p *parser) query(n *yaml.Node) {
	p.like(n, `\S`)
	if n.Kind != yaml.ScalarNode {
		p.errorf(n, "query is %s: it must be the text of a KQL query, most simply as a block behind `query: |`", describe(n))
		return
	}
	if strings.TrimSpace(n.Value) == "" {
		p.errorf(n, "query is empty: it is the KQL that the rule runs")
		return
	}
	p.rule.Query = Query{Text: n.Value, places: p.source.characters(n)}
	if p.retimed {
		p.rule.Query = p.rule.Query.inWorkspace()
	}
	p.limit(n, "query", n.Value, maxQueryLength)
}

func (p *parser) eventGrouping(n *yaml.Node) {
	p.mapping(n, "eventGroupingSettings", map[string]field{
		"aggregationKind": func(n *yaml.Node) {
			if i, ok := p.choice(n, "aggregationKind", groupingNames); ok {
				p.rule.Grouping = Grouping(i)
			}
		},
	})
}

func (p *parser) extension(n *yaml.Node) {
	columns := func(key, path string, to *[]string, empty string) field {
		return func(n *yaml.Node) {
			p.list(n, key, func(_ int, item *yaml.Node) {
				if column, ok := p.text(item, "an item of "+key); ok {
					p.note(fmt.Sprintf(path, len(*to)), item)
					*to = append(*to, column)
				}
			})
			if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
				p.errorf(n, "%s is empty: %s", key, empty)
			}
		}
	}
	set := p.mapping(n, "pushback", map[string]field{
		"identity": columns("identity", identityPath, &p.rule.Identity,
			"name the columns that identify an activity, or remove it to use those of the entity mappings"),
		"events": columns("events", eventsPath, &p.rule.Events,
			"name the columns that hold the ids of an activity's events, or remove it to go by its time"),
		"tests":    nil, // read when the kinds of findings are known
		"context":  p.contexts,
		"card":     p.card,
		"guidance": p.guidance,
		"remediation": func(n *yaml.Node) {
			if text, ok := p.optionalText(n, "remediation"); ok {
				p.rule.Remediation = text
				p.limit(n, "remediation", text, maxDescription)
			}
		},
		"story": p.story,
		"followUp": func(n *yaml.Node) {
			if follow, ok := p.truth(n, "followUp"); ok {
				p.rule.NoFollowUp = !follow
			}
		},
	})
	if tests := set["tests"]; !isNull(tests) {
		p.tests(tests)
	}
}

// tests reads the rule's cases.
func (p *parser) tests(n *yaml.Node) {
	c := newCaseReader(p.file, p.source, p.rule.FindingKinds()...)
	c.draw = p.draw
	c.tests(n)
	p.rule.cases, p.rule.caseProblems = c.cases, c.problems
}

// storyName is a name that is the same in every store and every file system.
var storyName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$`)

// story reads the name of the story that the rule shares.
func (p *parser) story(n *yaml.Node) {
	p.like(n, storyName.String())
	text, ok := p.text(n, "story")
	if !ok {
		return
	}
	if !storyName.MatchString(text) {
		p.errorf(n, "story is %.100q: give it a name of at most 50 small letters, digits and dashes that begins and ends with a letter or digit, or remove it for a story of the rule's own", text)
		return
	}
	p.note("story", n)
	p.rule.Story = text
}

// guidance reads the address of the rule's runbook.
func (p *parser) guidance(n *yaml.Node) {
	p.like(n, `^https://[^/?#@]+([/?#].*)?$`)
	text, ok := p.text(n, "guidance")
	if !ok {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.String() != text {
		p.errorf(n, "guidance is %.100q: write the address of the page as https://host/path, with what is special in it escaped", text)
		return
	}
	p.rule.Guidance = text
}

// Package settings reads and checks the environment variables that Pushback is
// set up by, and gives plain values.
package settings

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/enrich"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/post"
	"pushback/detect/notify/teams"
	"pushback/detect/notify/webhook"
	"pushback/detect/secret"
)

// variables are the environment variables that start with PUSHBACK_. The tags
// are their one source: what is read, what help settings says, the README's table and
// local.settings.json.example.
//
// A needed tag names the command that does not work without the setting. A group
// tag is what the setting and those behind it are about. The other tags are those
// of the setting's type.
type variables struct {
	WorkspaceID          guid       `group:"Workspace and rules" split_words:"true" needed:"serve" desc:"The id of the Log Analytics workspace that serve runs the rules in: a GUID, on its Overview page in the portal."`
	AdditionalWorkspaces guids      `split_words:"true" desc:"Ids of further workspaces that every query covers too, with commas between them."`
	Cloud                choice     `default:"public" choices:"public,usgovernment,china" desc:"The cloud that the workspace is in: public, usgovernment or china."`
	Schedule             schedule   `desc:"When the Functions host ticks, as an NCRONTAB expression of six fields in UTC, such as 0 */5 * * * * for every five minutes. The host does not find the function without it."`
	Rules                string     `desc:"Rules that serve, replay and check run, with commas between them: names of shipped ones, mfa-rejected-by-user and mfa-fatigue, rule files, and folders of them. Without it all that ship run."`
	Silences             string     `desc:"A file of silences, exceptions that hold alerts back for a reason and a time, such as rules/silences.yaml. See handler silence --help."`
	Routes               string     `desc:"A file of routes, which say at which addresses alerts are sent, such as rules/routes.yaml. An address has a setting of its own: PUSHBACK_TEAMS_WEBHOOK_URL_ and a name, a secret too. See handler route --help."`
	Functions            string     `desc:"A file or folder of functions that are saved in the workspace, such as ASIM parsers, for replay, query, test and lint, unless --functions names one."`
	External             string     `desc:"The folder of the files that externaldata reads, by host and path, for query, replay, test and external pull, unless --external names one. Running a query fetches nothing."`
	Geoip                string     `desc:"A MaxMind database of places, such as GeoLite2-City.mmdb, for geo_info_from_ip_address() in query, replay and test, unless --geoip names one."`
	Delay                duration   `group:"Time" default:"5m" min:"0s" max:"48h" desc:"How long after a window's end it is first queried: logs take that long to arrive as a rule."`
	Lateness             duration   `default:"2h" min:"0s" max:"48h" desc:"How long after a window's end a record may arrive and still be found where looks say nothing of a rule: until then each window is queried again at every frequency."`
	LateLook             duration   `split_words:"true" default:"72h" min:"0s" max:"336h" desc:"How long after a window's end a record may arrive and still be found by a look, which has the window queried again only if it has such a record that the rule can see. 0s is no looks: then each window is queried again until the lateness."`
	CatchUp              duration   `split_words:"true" default:"24h" min:"1m" max:"336h" desc:"How long ago a window that was missed may have ended to be run after all. Older ones are skipped, and reported as such."`
	Concurrency          number     `group:"Load" default:"5" min:"1" max:"100" desc:"How many queries run at once. The workspace runs five at once for one identity; more wait there or are refused."`
	QueryRate            number     `split_words:"true" default:"200" min:"10" max:"1000000" desc:"How many requests are sent in any 30 seconds. The workspace takes 200 of one identity: set it lower where others use the same one."`
	Share                share      `desc:"The part of the rules that this app runs, such as 2/4, the second of four: for several apps on one ledger, each with an identity of its own."`
	QueryTimeout         duration   `split_words:"true" default:"3m" min:"1s" max:"10m" desc:"How long one query may take."`
	TickTimeout          duration   `split_words:"true" default:"9m30s" min:"3m" max:"24h" desc:"How long a tick may take before it leaves the rest to the next one. Keep it below functionTimeout in host.json."`
	TableEndpoint        endpoint   `group:"The ledger" split_words:"true" desc:"The table service that keeps the ledger, such as https://ACCOUNT.table.core.windows.net, for the identity that serve runs as. Without this and PUSHBACK_TABLE_CONNECTION it is that of AzureWebJobsStorage."`
	TableConnection      connection `split_words:"true" desc:"Instead of the endpoint a connection string: of a storage account, UseDevelopmentStorage=true, or memory to forget everything at a restart."`
	TableName            name       `split_words:"true" default:"pushback" desc:"The name of the ledger's table. The deployment's template makes it, or handler outbox init; serve never does."`
	SeenRetention        duration   `split_words:"true" default:"720h" min:"24h" max:"87600h" desc:"How long what was reported is remembered: at least the longest query period, the lateness or PUSHBACK_LATE_LOOK, if that is set, and the catch-up together."`
	SentRetention        duration   `split_words:"true" default:"2160h" min:"24h" max:"87600h" desc:"How long alerts are kept after they were sent, for the audit."`
	MaxAlerts            number     `group:"Context and severity" split_words:"true" default:"1000" min:"1" desc:"How many alerts one window of a rule may have: where each result is an alert and there are more, one alert stands for all. A window of 1000 alerts fits an instance of 512 MB."`
	Context              choice     `default:"on" choices:"on,off" desc:"Whether what is known of the accounts and addresses is looked up for each alert: on or off."`
	SeveritySteps        steps      `split_words:"true" desc:"How findings change the severity, such as bombing=+1,success-same-ip=High. See detect/enrich/README.md for the kinds."`
	History              days       `default:"14d" min:"72h" max:"2160h" desc:"How far before an alert context looks for what is usual for an account: a number of days, or a duration."`
	Aftermath            duration   `default:"24h" min:"1h" max:"72h" desc:"How long after a prompt that was not approved a success, a changed method and what else happens to the account counts."`
	Bombing              number     `default:"5" min:"2" desc:"How many prompts of an account within an hour are a bombing."`
	Repeated             number     `default:"5" min:"2" desc:"How many rejections of an account within 24 hours raise the severity."`
	IPv6Prefix           number     `envconfig:"IPV6_PREFIX" default:"64" min:"16" max:"128" desc:"How many bits of an IPv6 address the addresses of one network have in common: they count as the same."`
	MinSeverity          choice     `split_words:"true" default:"informational" choices:"informational,low,medium,high" desc:"Alerts of a lower severity are recorded and sent nowhere."`
	RiskCutoff           number     `split_words:"true" desc:"Alerts whose risk score is known and not above this are recorded and sent nowhere. The published rule uses 20."`
	TeamsWebhookURL      workflow   `group:"Teams" split_words:"true" desc:"The address of a Workflows webhook of Microsoft Teams that alerts are posted to. It is a secret."`
	TeamsAuth            choice     `split_words:"true" default:"signature" choices:"signature,identity" desc:"How a Teams webhook knows who posts: signature, by its address alone, or identity, by a token of the app's identity, so that the address is no secret. _ and the name of a further webhook behind it is for that one."`
	TeamsMaxCards        number     `split_words:"true" default:"5" min:"1" desc:"How many alerts of a rule a tick posts one by one; more are one card."`
	TeamsRoutes          routes     `split_words:"true" desc:"Webhooks of their own for severities or rules, with space between them, such as High=https://... or RULE-ID=https://... It is a secret."`
	TeamsHeartbeat       period     `split_words:"true" default:"30d" min:"24h" max:"2136h" desc:"After how long without a card a webhook is sent one that says that all is well, or not: workflows go off when nothing triggers them for 90 days. PUSHBACK_WEBHOOK_URL, too. off sends none."`
	WebhookURL           receiver   `group:"Webhook" split_words:"true" desc:"The address of a webhook of yours that every alert is posted to as JSON, signed as the Standard Webhooks specification says. It is a secret."`
	WebhookSecret        secrets    `split_words:"true" desc:"What the messages to the webhook are signed with: whsec_ and 24 to 64 bytes in base64. Two with a space between them while one replaces the other. It is a secret."`
	WorkspaceResourceID  resource   `group:"Portals and Sentinel" split_words:"true" desc:"The resource id of the workspace, /subscriptions/.../workspaces/NAME, for the button to its logs in the Azure portal. Without it that of Sentinel is used."`
	Portal               choice     `default:"defender" choices:"defender,azure" desc:"The portal that the buttons of cards lead to, and whose incidents are linked: defender if the workspace is in the Defender portal, azure if it is not."`
	AlertsEndpoint       ingestion  `split_words:"true" desc:"Where the Logs Ingestion API takes the rows that an analytics rule of Microsoft Sentinel turns into alerts, such as https://NAME.REGION-1.ingest.monitor.azure.com. The deployment's template sets it."`
	AlertsRule           collection `split_words:"true" desc:"The immutable id of the data collection rule that takes the rows: dcr- and what follows."`
	AlertsStream         stream     `split_words:"true" default:"Custom-PushbackAlerts" desc:"The stream of the data collection rule."`
	SentinelWorkspace    resource   `split_words:"true" desc:"The resource id of the workspace with Microsoft Sentinel, /subscriptions/.../workspaces/NAME, that alerts become incidents of through its API. The Defender portal does not show those."`
	LogLevel             choice     `group:"The log" split_words:"true" default:"info" choices:"debug,info,warn,error" desc:"The least that is logged: debug, info, warn or error."`
}

// Settings are the values of the environment variables. One that is wrong is zero
// here, and in the error that comes with it.
type Settings struct {
	WorkspaceID          string
	AdditionalWorkspaces []string
	Cloud                string
	Schedule             *Schedule // nil if it is not set or wrong
	Rules                string
	Silences             string
	Routes               string
	Delay                time.Duration
	Lateness             time.Duration
	LateLook             time.Duration
	CatchUp              time.Duration
	Concurrency          int
	QueryRate            int
	Share                detect.Share // the zero value is all rules
	QueryTimeout         time.Duration
	TickTimeout          time.Duration
	TableEndpoint        string
	TableConnection      Connection
	TableName            string
	SeenRetention        time.Duration
	SentRetention        time.Duration
	MaxAlerts            int
	Context              bool
	SeveritySteps        enrich.Steps // nil for the usual ones
	History              time.Duration
	Aftermath            time.Duration
	Bombing              int
	Repeated             int
	IPv6Prefix           int
	MinSeverity          alert.Severity
	RiskCutoff           *int64 // nil for none
	TeamsWebhookURL      teams.WebhookURL
	TeamsMaxCards        int
	TeamsRoutes          []teams.Route
	TeamsAddresses       []teams.Named // by the names of their settings
	TeamsHeartbeat       time.Duration // zero for none
	WebhookURL           post.URL
	WebhookSecret        webhook.Secrets
	WorkspaceResourceID  string
	Portal               portal.Portal
	AlertsEndpoint       string
	AlertsRule           string
	AlertsStream         string
	SentinelWorkspace    string
	LogLevel             slog.Level

	given map[string]bool // the keys of those that are set
}

// Given reports whether a setting is set, rightly or not. The name is without the
// prefix.
func (s Settings) Given(name string) bool { return s.given[Prefix+"_"+name] }

// CountGiven returns how many settings are set.
func (s Settings) CountGiven() (n int) {
	for _, is := range s.given {
		if is {
			n++
		}
	}
	return n
}

// plain returns the values.
func (v *variables) plain() Settings {
	s := Settings{
		WorkspaceID:          v.WorkspaceID.value,
		AdditionalWorkspaces: v.AdditionalWorkspaces.values,
		Cloud:                v.Cloud.value,
		Schedule:             v.Schedule.plain(),
		Rules:                v.Rules,
		Silences:             v.Silences,
		Routes:               v.Routes,
		Delay:                v.Delay.Duration,
		Lateness:             v.Lateness.Duration,
		LateLook:             v.LateLook.Duration,
		CatchUp:              v.CatchUp.Duration,
		Concurrency:          v.Concurrency.int(),
		QueryRate:            v.QueryRate.int(),
		Share:                v.Share.value,
		QueryTimeout:         v.QueryTimeout.Duration,
		TickTimeout:          v.TickTimeout.Duration,
		TableEndpoint:        v.TableEndpoint.value,
		TableConnection:      v.TableConnection.value,
		TableName:            v.TableName.value,
		SeenRetention:        v.SeenRetention.Duration,
		SentRetention:        v.SentRetention.Duration,
		MaxAlerts:            v.MaxAlerts.int(),
		Context:              v.Context.value == "on",
		SeveritySteps:        v.SeveritySteps.value,
		History:              v.History.Duration,
		Aftermath:            v.Aftermath.Duration,
		Bombing:              v.Bombing.int(),
		Repeated:             v.Repeated.int(),
		IPv6Prefix:           v.IPv6Prefix.int(),
		RiskCutoff:           v.RiskCutoff.value,
		TeamsWebhookURL:      v.TeamsWebhookURL.value,
		TeamsMaxCards:        v.TeamsMaxCards.int(),
		TeamsRoutes:          v.TeamsRoutes.value,
		TeamsHeartbeat:       v.TeamsHeartbeat.Duration,
		WebhookURL:           v.WebhookURL.value,
		WebhookSecret:        v.WebhookSecret.value,
		WorkspaceResourceID:  v.WorkspaceResourceID.value,
		Portal:               portal.Portal(v.Portal.value),
		AlertsEndpoint:       v.AlertsEndpoint.value,
		AlertsRule:           v.AlertsRule.value,
		AlertsStream:         v.AlertsStream.value,
		SentinelWorkspace:    v.SentinelWorkspace.value,
	}
	// The choices of these are texts that they take. What is wrong is empty, and
	// stays zero.
	s.MinSeverity, _ = alert.ParseSeverity(v.MinSeverity.value)
	_ = s.LogLevel.UnmarshalText([]byte(v.LogLevel.value))
	return s
}

// MostLateness and MostLateLook are the longest that can be set.
var MostLateness, MostLateLook = longest("Lateness"), longest("LateLook")

func longest(name string) time.Duration {
	field, _ := reflect.TypeFor[variables]().FieldByName(name)
	return tagDuration(field.Tag, "max")
}

// Setting is what there is to say of a setting.
type Setting struct {
	Key         string // the variable's name
	Default     string
	Description string
	NeededBy    string // the command that does not work without it
	Group       string // what it is about
}

// All lists the settings in the order in which they are documented.
func All() []Setting {
	fields := reflect.TypeFor[variables]()
	var all []Setting
	group := ""
	for i, key := range keys() {
		tag := fields.Field(i).Tag
		group = cmp.Or(tag.Get("group"), group)
		all = append(all, Setting{Group: group, Key: key, Default: tag.Get("default"), Description: tag.Get("desc"), NeededBy: tag.Get("needed")})
	}
	return all
}

// Prefix is what the names of the variables begin with, with _ behind it.
const Prefix = "PUSHBACK"

// Read reads the settings and checks all that are set. Its error names every one
// that is wrong.
func Read() (Settings, error) { return ReadFor("") }

// ReadFor is [Read] for a command that needs some of them.
func ReadFor(command string) (Settings, error) {
	var s variables
	given := map[string]bool{}
	// What is wrong with a value is found out below. The package envconfig stops
	// at the first, and whoever sets up a deployment wants to see them all.
	if err := envconfig.Process(Prefix, &s); err != nil {
		return Settings{}, fmt.Errorf("settings: %w", err)
	}
	var problems []error
	fields := reflect.ValueOf(&s).Elem()
	for i, key := range keys() {
		tag := fields.Type().Field(i).Tag
		value, ok := fields.Field(i).Addr().Interface().(setting)
		if !ok { // a plain text, in which nothing else can be wrong
			given[key] = os.Getenv(key) != ""
			if unresolved(fields.Field(i).String()) {
				problems = append(problems, unresolvedError(key))
			}
			continue
		}
		text := value.text()
		given[key] = os.Getenv(key) != "" // the text may be the default
		if text == "" {                   // as if it were not set
			text = tag.Get("default")
		}
		switch {
		case unresolved(text):
			problems = append(problems, unresolvedError(key))
		case text != "":
			expected := value.read(text, tag)
			_, hidden := value.(interface{ hidden() })
			switch {
			case expected == "":
			case hidden:
				problems = append(problems, fmt.Errorf("the setting %s is not right: expected %s", key, secret.HideEcho(expected, text)))
			default:
				problems = append(problems, fmt.Errorf("the setting %s %s: expected %s", key, Quoted(text), secret.HideEcho(expected, text)))
			}
		case command != "" && tag.Get("needed") == command:
			problems = append(problems, fmt.Errorf("the setting %s is not set: expected %s", key, value.read("", tag)))
		}
	}
	if s.TableEndpoint.value != "" && s.TableConnection.value != "" {
		problems = append(problems, fmt.Errorf("the settings %s_TABLE_ENDPOINT and %s_TABLE_CONNECTION are both set: expected one of them", Prefix, Prefix))
	}
	if s.TeamsRoutes.value != nil && s.TeamsWebhookURL.value.IsZero() && s.TeamsWebhookURL.text() == "" {
		problems = append(problems, fmt.Errorf("the setting %s_TEAMS_ROUTES is set without %[1]s_TEAMS_WEBHOOK_URL: expected that too, for what has no route", Prefix))
	}
	if (s.WebhookURL.text() == "") != (s.WebhookSecret.text() == "") {
		problems = append(problems, fmt.Errorf("of the settings %s_WEBHOOK_URL and %[1]s_WEBHOOK_SECRET one is set: expected both or none", Prefix))
	}
	if s.TeamsRoutes.text() != "" && s.Routes != "" {
		problems = append(problems, fmt.Errorf("the settings %s_ROUTES and %[1]s_TEAMS_ROUTES are both set: expected one of them. What the second says, the file can say as well", Prefix))
	}
	s.identify(&problems)
	addresses, wrong := readAddresses(given, s.TeamsAuth.value, s.Cloud.value)
	if problems = append(problems, wrong...); len(addresses) > 0 && s.TeamsWebhookURL.value.IsZero() && s.TeamsWebhookURL.text() == "" {
		problems = append(problems, fmt.Errorf("the setting %s is set without %s: expected that too, for what no route takes", addresses[0].Name, TeamsAddress))
	}
	if (s.AlertsEndpoint.text() == "") != (s.AlertsRule.text() == "") {
		problems = append(problems, fmt.Errorf("of the settings %s_ALERTS_ENDPOINT and %[1]s_ALERTS_RULE one is set: expected both or none", Prefix))
	}
	problems = append(problems, s.elsewhere()...)
	// What is set for them would be refused by an address that is nobody's any more.
	if s.Cloud.value == "china" {
		for _, set := range []struct{ name, text string }{{"ALERTS_ENDPOINT", s.AlertsEndpoint.text()}, {"SENTINEL_WORKSPACE", s.SentinelWorkspace.text()}} {
			if set.text != "" {
				problems = append(problems, fmt.Errorf("the setting %s_%s is set and %[1]s_CLOUD is china, where Microsoft Sentinel ended in August 2026: expected another destination, such as %[1]s_TEAMS_WEBHOOK_URL", Prefix, set.name))
			}
		}
	}
	// A tick keeps two minutes for sending and for its end.
	if q, tick := s.QueryTimeout.Duration, s.TickTimeout.Duration; q > 0 && tick > 0 && q > tick-135*time.Second {
		problems = append(problems, fmt.Errorf("the setting %s_QUERY_TIMEOUT is %s: expected at most %s, since a tick ends after %s_TICK_TIMEOUT, %s, and needs 2m15s of it for other things",
			Prefix, q, tick-135*time.Second, Prefix, tick))
	}
	plain := s.plain()
	plain.given, plain.TeamsAddresses = given, addresses
	return plain, errors.Join(problems...)
}

// unresolved reports whether a value is still a reference to a key vault. The
// platform replaces it by the secret, and leaves it as it is where it cannot.
// https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
func unresolved(value string) bool {
	const reference = "@Microsoft.KeyVault("
	return len(value) >= len(reference) && strings.EqualFold(value[:len(reference)], reference)
}

func unresolvedError(key string) error {
	return fmt.Errorf("the setting %s is a Key Vault reference that is not resolved: check that the app's identity has the role Key Vault Secrets User on the vault "+
		"and that the secret exists, and restart the app; outside the app, set it to the secret itself", key)
}

// keys lists the names of the settings in the order of the fields. The library tells
// them to a template alone, and with package text/template in it the program is a
// seventh larger: see printHelp of the handler.
func keys() []string {
	t := reflect.TypeFor[variables]()
	names := make([]string, t.NumField())
	for i := range names {
		field := t.Field(i)
		name := field.Tag.Get("envconfig")
		if name == "" {
			name = field.Name
			if field.Tag.Get("split_words") == "true" {
				name = capital.ReplaceAllString(name, "${1}${3}_${2}${4}")
			}
		}
		names[i] = strings.ToUpper(Prefix + "_" + name)
	}
	return names
}

// capital is where a word begins in a field's name: QueryRate is two, and TeamsWebhookURL
// and TeamsURLList three.
var capital = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)

// Unknown lists the variables that look like settings and are none:
// one that is misspelt does nothing, and nobody would know.
func Unknown() []string {
	known := keys()
	var unknown []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(strings.ToUpper(name), Prefix+"_") && !slices.Contains(known, name) && !isAddress(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

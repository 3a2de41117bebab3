package settings

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"pushback/detect"
	"pushback/detect/enrich"
	"pushback/detect/ledger"
	"pushback/detect/notify/post"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/teams"
	"pushback/detect/notify/webhook"
	"pushback/detect/secret"
)

// setting is a value that is checked.
type setting interface {
	text() string
	// read takes the value from a text. If it can not, it returns what it
	// expected, to stand behind "expected".
	read(text string, tag reflect.StructTag) (expected string)
}

// given is the text of a setting as envconfig hands it over.
type given string

// Decode keeps the text.
func (g *given) Decode(text string) error {
	*g = given(strings.TrimSpace(text))
	return nil
}

func (g *given) text() string { return string(*g) }

// duration is a length of time between the tags min and max.
type duration struct {
	given
	time.Duration
}

func (d *duration) read(text string, tag reflect.StructTag) string {
	least, most := tagDuration(tag, "min"), tagDuration(tag, "max")
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < least || parsed > most {
		return fmt.Sprintf("a duration from %s to %s, such as 5m or 2h", tag.Get("min"), tag.Get("max"))
	}
	d.Duration = parsed
	return ""
}

// period is a length of time in days, or in what a duration takes, between the
// tags min and max. It is zero for off.
type period struct {
	given
	time.Duration
}

func (p *period) read(text string, tag reflect.StructTag) string {
	if strings.EqualFold(text, "off") {
		p.Duration = 0
		return ""
	}
	var d days
	if expected := d.read(text, tag); expected != "" {
		return "off, or " + expected
	}
	p.Duration = d.Duration
	return ""
}

// days is a period that is never off.
type days struct {
	given
	time.Duration
}

func (d *days) read(text string, tag reflect.StructTag) string {
	parsed, err := time.ParseDuration(text)
	if number, ok := strings.CutSuffix(text, "d"); ok {
		var n int64
		n, err = strconv.ParseInt(number, 10, 16)
		parsed = time.Duration(n) * 24 * time.Hour
	}
	if least, most := tagDuration(tag, "min"), tagDuration(tag, "max"); err != nil || parsed < least || parsed > most {
		return fmt.Sprintf("a number of days or a duration from %s to %s, such as 30d", tag.Get("min"), tag.Get("max"))
	}
	d.Duration = parsed
	return ""
}

func tagDuration(tag reflect.StructTag, name string) time.Duration {
	d, err := time.ParseDuration(tag.Get(name))
	if err != nil {
		panic(err) // the tags are part of the program
	}
	return d
}

// workflow is the address of a webhook of Teams, which is a secret.
type workflow struct {
	secretText
	value teams.WebhookURL
}

func (w *workflow) read(text string, _ reflect.StructTag) string {
	value, err := teams.ParseWebhookURL(text)
	if err != nil {
		return "the https:// address that the workflow shows; " + strings.TrimPrefix(err.Error(), "teams: ")
	}
	w.value = value
	return ""
}

// routes are webhooks for some of the alerts, and secret too.
type routes struct {
	secretText
	value []teams.Route
}

func (r *routes) read(text string, _ reflect.StructTag) string {
	value, err := teams.ParseRoutes(text)
	if err != nil {
		return "routes such as High=https://... with space between them; " + strings.TrimPrefix(err.Error(), "teams: ")
	}
	r.value = value
	return ""
}

// receiver is the address of another webhook, which is a secret too.
type receiver struct {
	secretText
	value post.URL
}

func (r *receiver) read(text string, _ reflect.StructTag) string {
	value, err := post.ParseURL(text)
	if err != nil {
		return "an https:// address that takes a POST; " + err.Error()
	}
	r.value = value
	return ""
}

// secrets are what messages are signed with.
type secrets struct {
	secretText
	value webhook.Secrets
}

func (s *secrets) read(text string, _ reflect.StructTag) string {
	value, err := webhook.ParseSecrets(text)
	if err != nil {
		return "whsec_ and 24 to 64 bytes in base64, several with space between them; " + strings.TrimPrefix(err.Error(), "webhook: ")
	}
	s.value = value
	return ""
}

// secretText is a given text that is not printed.
type secretText struct{ given }

// hidden marks it as a secret.
func (secretText) hidden() {}

func (secretText) String() string   { return "not shown" }
func (secretText) GoString() string { return "not shown" }

// resource is the resource id of a workspace in Azure Resource Manager.
type resource struct {
	given
	value string
}

func (r *resource) read(text string, _ reflect.StructTag) string {
	if _, err := sentinel.ParseWorkspace(text); err != nil {
		return sentinel.WorkspaceForm
	}
	r.value = text
	return ""
}

// number is a whole number from the tag min on, or else from 0, to the tag max if
// there is one, or nil.
type number struct {
	given
	value *int64
}

func (n *number) read(text string, tag reflect.StructTag) string {
	least, _ := strconv.ParseInt(tag.Get("min"), 10, 64) // 0 without a tag
	value, err := strconv.ParseInt(text, 10, 32)
	if most, none := strconv.ParseInt(tag.Get("max"), 10, 64); none == nil && (err != nil || value < least || value > most) {
		return fmt.Sprintf("a whole number from %d to %d", least, most)
	}
	if err != nil || value < least {
		return fmt.Sprintf("a whole number from %d on", least)
	}
	n.value = &value
	return ""
}

// int returns the number, or 0 if there is none.
func (n *number) int() int {
	if n.value == nil {
		return 0
	}
	return int(*n.value)
}

// steps are changes of the severity by finding, nil for the usual ones.
type steps struct {
	given
	value enrich.Steps
}

func (s *steps) read(text string, _ reflect.StructTag) string {
	value, err := enrich.ParseSteps(text)
	if err != nil {
		return "findings with what they do to the severity, such as bombing=+1: " + err.Error()
	}
	s.value = value
	return ""
}

// choice is one of the words in the tag choices.
type choice struct {
	given
	value string
}

func (c *choice) read(text string, tag reflect.StructTag) string {
	words := strings.Split(tag.Get("choices"), ",")
	if !slices.Contains(words, strings.ToLower(text)) {
		return "one of " + strings.Join(words, ", ")
	}
	c.value = strings.ToLower(text)
	return ""
}

// share is a part of the rules.
type share struct {
	given
	value detect.Share
}

func (s *share) read(text string, _ reflect.StructTag) string {
	value, err := detect.ParseShare(text)
	if err != nil {
		return fmt.Sprintf("a share such as 2/4, the second of four, of %d at most", detect.MostShares)
	}
	s.value = value
	return ""
}

// guid is an id such as that of a workspace.
type guid struct {
	given
	value string
}

func (g *guid) read(text string, _ reflect.StructTag) string {
	if !isGUID(text) {
		return "a GUID, such as 11111111-2222-3333-4444-555555555555"
	}
	g.value = strings.ToLower(text)
	return ""
}

// guids is a list of them.
type guids struct {
	given
	values []string
}

func (g *guids) read(text string, _ reflect.StructTag) string {
	var values []string
	for item := range strings.SplitSeq(text, ",") {
		item = strings.ToLower(strings.TrimSpace(item))
		switch {
		case !isGUID(item):
			return "GUIDs with commas between them"
		case !slices.Contains(values, item):
			values = append(values, item)
		}
	}
	g.values = values
	return ""
}

func isGUID(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil && len(text) == len(uuid.UUID{}.String()) // it takes other forms too
}

// endpoint is the address of a service.
type endpoint struct {
	given
	value string
}

func (e *endpoint) read(text string, _ reflect.StructTag) string {
	value, err := ParseEndpoint(text)
	if err != nil {
		return err.Error()
	}
	e.value = value
	return ""
}

// ParseEndpoint returns the address of a service as the clients take it. Its
// error says what is expected instead.
func ParseEndpoint(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("an https address with nothing behind the host, such as https://account.table.core.windows.net")
	}
	return "https://" + u.Host, nil
}

// ingestion is the address of the Logs Ingestion API.
type ingestion struct {
	given
	value string
}

func (i *ingestion) read(text string, _ reflect.StructTag) string {
	value, err := ParseEndpoint(text)
	if err != nil {
		return "an https address with nothing behind the host, such as https://name-ab12.westeurope-1.ingest.monitor.azure.com"
	}
	i.value = value
	return ""
}

// collection is the immutable id of a data collection rule.
type collection struct {
	given
	value string
}

func (c *collection) read(text string, _ reflect.StructTag) string {
	if !collectionID.MatchString(text) {
		return "the immutable id on the rule's JSON view, such as dcr-00000000000000000000000000000000, and not its name or its resource id"
	}
	c.value = text
	return ""
}

var collectionID = regexp.MustCompile(`^dcr-[0-9A-Za-z]{1,60}$`)

// stream is the name of a stream of a data collection rule.
type stream struct {
	given
	value string
}

func (s *stream) read(text string, _ reflect.StructTag) string {
	if !streamName.MatchString(text) {
		return "Custom- and letters, digits or _"
	}
	s.value = text
	return ""
}

var streamName = regexp.MustCompile(`^Custom-[A-Za-z0-9_]{1,60}$`)

// connection is the connection string of a table, which is a secret.
type connection struct {
	secretText
	value Connection
}

// InMemory is the connection of a ledger that is not kept.
const InMemory = "memory"

// Connection is a connection string that no print shows.
type Connection string

func (c *connection) read(text string, _ reflect.StructTag) string {
	if text != InMemory {
		if _, err := ledger.Open(ledger.Options{ConnectionString: text}); err != nil {
			return "the connection string of a storage account, UseDevelopmentStorage=true or " + InMemory
		}
	}
	c.value = Connection(text)
	return ""
}

// hidden marks settings that no error may quote.
func (c *connection) hidden() {}

// String does not say what it is, nor does GoString.
func (c Connection) String() string {
	if c == "" {
		return "not set"
	}
	return "set, and not shown"
}

// GoString is String.
func (c Connection) GoString() string { return c.String() }

// name is the name of a table.
type name struct {
	given
	value string
}

func (n *name) read(text string, _ reflect.StructTag) string {
	if !tableName().MatchString(text) || strings.EqualFold(text, "tables") {
		return "3 to 63 letters and digits, a letter first, and not tables"
	}
	n.value = text
	return ""
}

var tableName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{2,62}$`) })

// Quoted quotes what a setting or a variable is set to, for an error. What looks
// like a secret is not quoted: it was pasted into the wrong place.
func Quoted(text string) string {
	if secret.In(text) {
		return "holds what looks like a secret, which is not shown"
	}
	return fmt.Sprintf("is %.100q", text)
}

package alerts_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/kql/kqltest"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/alerts/alertstest"
)

// The row of the code has the columns of the definition, each of its type.
func TestRowHasTheColumns(t *testing.T) {
	t.Parallel()
	var got []alerts.Column
	for _, f := range reflect.VisibleFields(reflect.TypeFor[alerts.Row]()) {
		kind := "dynamic"
		switch f.Type {
		case reflect.TypeFor[string]():
			kind = "string"
		case reflect.TypeFor[bool]():
			kind = "boolean"
		case reflect.TypeFor[time.Time](), reflect.TypeFor[*time.Time]():
			kind = "datetime"
		}
		got = append(got, alerts.Column{Name: f.Tag.Get("json"), Type: kind})
	}
	if diff := cmp.Diff(alerts.Columns(), got); diff != "" {
		t.Errorf("the columns (-definition +row):\n%s", diff)
	}
}

// https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table
func TestColumnNames(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,44}$`)
	reserved := []string{"title", "type", "tenantid", "id", "uniqueid", "_resourceid", "_subscriptionid", "_timereceived", "_itemid"}
	generated := false
	for _, c := range alerts.Columns() {
		if !form.MatchString(c.Name) || slices.Contains(reserved, strings.ToLower(c.Name)) {
			t.Errorf("a column cannot be called %s", c.Name)
		}
		generated = generated || c == alerts.Column{Name: "TimeGenerated", Type: "datetime"}
	}
	if !generated {
		t.Error("there is no TimeGenerated")
	}
}

// The table and the stream that Bicep makes have the columns of the definition.
func TestTemplateHasTheColumns(t *testing.T) {
	t.Parallel()
	template := alertstest.ReadTemplate(t)
	name, columns := template.Table()
	if diff := cmp.Diff(alerts.Columns(), columns); diff != "" || name != alerts.Table {
		t.Errorf("the table %s (-definition +table):\n%s", name, diff)
	}
	if diff := cmp.Diff(map[string][]alerts.Column{alerts.Stream: alerts.Columns()}, template.Streams()); diff != "" {
		t.Errorf("the streams (-definition +rule):\n%s", diff)
	}
	flows, _ := template.Properties("Microsoft.Insights/dataCollectionRules")[0]["dataFlows"].([]any)
	if diff := cmp.Diff([]any{map[string]any{"streams": []any{alerts.Stream}, "destinations": []any{"workspace"}, "transformKql": "source", "outputStream": "Custom-" + alerts.Table}}, flows); diff != "" {
		t.Errorf("the flows (-want +got):\n%s", diff)
	}
}

// schema is the table as the engine has it.
func schema() kql.Schema {
	types := map[string]kql.Type{"string": kql.String, "boolean": kql.Bool, "datetime": kql.DateTime, "dynamic": kql.Dynamic}
	var s kql.Schema
	for _, c := range alerts.Columns() {
		s = append(s, kql.ColumnSchema{Name: c.Name, Type: types[c.Type]})
	}
	return s
}

// What the analytics rules name is in the result of their queries, of a type that
// they take. The queries are those of the files, and differ in which rows they take
// alone.
func TestRulesFitTheirQueries(t *testing.T) {
	t.Parallel()
	with, without := alerts.Queries()
	if got := strings.NewReplacer("with an incident", "without an incident", "CreateIncident == true", "CreateIncident == false").Replace(with); got != without {
		t.Errorf("the queries differ in more than the rows (-with +without):\n%s", cmp.Diff(got, without))
	}
	db := kql.NewDatabase(kql.NewTableBuilder(alerts.Table, schema()).Build())
	for i, r := range alertstest.ReadTemplate(t).Rules(t) {
		if want := []string{with, without}[i]; r.Query.Text != want {
			t.Errorf("%s has another query:\n%s", r.Name, cmp.Diff(want, r.Query.Text))
		}
		table, err := kql.Run(t.Context(), r.Query.Text, db, kql.Options{Now: time.Now()})
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		named := map[string]bool{}
		for _, use := range r.Columns() {
			named[use.Column] = true
			if c := table.Schema().Index(use.Column); c < 0 {
				t.Errorf("%s: %s: the result has no column %s", r.Name, use.Use, use.Column)
			}
		}
		for _, c := range table.Schema() {
			if !named[c.Name] && c.Name != "TimeGenerated" {
				t.Errorf("%s: nothing names the column %s of the result", r.Name, c.Name)
			}
		}
		if r.Incident.CreateIncident != (i == 0) || r.Incident.CreateIncident && !slices.Equal(r.Incident.Grouping.GroupByCustomDetails, []string{alerts.DetailStory}) {
			t.Errorf("%s: %+v", r.Name, r.Incident)
		}
	}
}

// The official parser takes every query that is asked of the table and of what
// comes of it.
func TestOfficialParserReadsTheQueries(t *testing.T) {
	t.Parallel()
	tables := map[string][]kqltest.Column{}
	declare := func(name string, schema kql.Schema) {
		for _, c := range schema {
			tables[name] = append(tables[name], kqltest.Column{Name: c.Name, Type: c.Type.String()})
		}
		if len(tables[name]) == 0 {
			t.Fatalf("the schema of %s is not known", name)
		}
	}
	declare("SecurityAlert", kql.KnownTables()["SecurityAlert"])
	declare("SecurityIncident", kql.KnownTables()["SecurityIncident"])
	declare(alerts.Table, schema())
	with, without := alerts.Queries()
	queries := append([]string{with, without}, alerts.LookQueries()...)
	if len(queries) != 4 {
		t.Errorf("%d queries", len(queries))
	}
	for i, v := range kqltest.Ask(t, tables, queries) {
		if len(v.Diagnostics) > 0 || len(v.Columns) == 0 {
			t.Errorf("%.40s: %+v", queries[i], v.Diagnostics)
		}
	}
}

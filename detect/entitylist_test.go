package detect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/workspace"
)

func TestListedEntities(t *testing.T) {
	t.Parallel()
	entity := func(typ string, fields ...string) alert.Entity {
		e := alert.Entity{Type: typ}
		for i := 0; i < len(fields); i += 2 {
			e.Fields = append(e.Fields, alert.Field{Identifier: fields[i], Value: fields[i+1]})
		}
		return e
	}
	const list = `[
		{"$id":"2","Type":"account","Name":"ada","UPNSuffix":"contoso.example","AadUserId":"u1","IsDomainJoined":true,"Roles":["x"]},
		{"$id":"3","Type":"ip","Address":"2001:0DB8::1","Location":{"CountryCode":"NL"}},
		{"$ref":"2"},
		{"Type":"cloud-application","AppId":20892,"Name":"Office"},
		{"Type":"host","OSFamily":"","hostname":"PC1"},
		{"Type":"nothing-known","Name":"x"}, {"Type":"url"}, {"Name":"no type"}, 7, null]`
	want := []alert.Entity{
		entity("Account", "Name", "ada", "UPNSuffix", "contoso.example", "AadUserId", "u1", "IsDomainJoined", "true"),
		entity("IP", "Address", "2001:db8::1"),
		entity("CloudApplication", "AppId", "20892", "Name", "Office"),
		entity("Host", "HostName", "PC1"),
	}
	const (
		byList    = "sentinelEntitiesMappings: [{columnName: Entities}]\n"
		byMapping = "entityMappings: [{entityType: SentinelEntities, fieldMappings: [{identifier: Entities, columnName: entities}]}]\n"
	)
	const none = "The entities of column Entities are left out: it holds no list of entities."
	tests := map[string]struct {
		yaml  string
		typ   string
		value any
		want  []alert.Entity
		notes []string
	}{
		"text":             {byList, "string", list, want, nil},
		"dynamic":          {byList, "dynamic", workspace.NewDynamic(list), want, nil},
		"by entityMapping": {byMapping, "string", list, want, nil},
		"empty":            {byList, "string", "", nil, nil},
		"null":             {byList, "dynamic", nil, nil, nil},
		"no JSON":          {byList, "string", "[{", nil, []string{none}},
		"an object":        {byList, "string", `{"Type":"ip","Address":"1.2.3.4"}`, nil, []string{none}},
		"a number":         {byList, "long", int64(7), nil, []string{none}},
		"beside mappings": {
			byList + "entityMappings: [{entityType: Host, fieldMappings: [{identifier: HostName, columnName: H}]}]\n", "string", list,
			append([]alert.Entity{entity("Host", "HostName", "PC1")}, want[:3]...), nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := workspace.Table{Columns: columns("Entities:"+test.typ, "H:string"), Rows: [][]any{{test.value, "PC1"}}}
			alerts, run := alertsOf(t, parse(t, test.yaml), table)
			if len(alerts) != 1 || len(run.Warnings) > 0 {
				t.Fatalf("%d alerts, warnings %v", len(alerts), run.Warnings)
			}
			if diff := cmp.Diff(test.want, alerts[0].Entities); diff != "" {
				t.Errorf("entities (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.notes, alerts[0].Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListedEntitiesAreBounded(t *testing.T) {
	t.Parallel()
	var items []string
	for i := range mostListedEntities + 1 {
		items = append(items, fmt.Sprintf(`{"Type":"host","HostName":"H%d"}`, i))
	}
	table := workspace.Table{Columns: columns("Entities:string"), Rows: [][]any{{"[" + strings.Join(items, ",") + "]"}}}
	alerts, _ := alertsOf(t, parse(t, "sentinelEntitiesMappings: [{columnName: Entities}]\n"), table)
	if n := len(alerts[0].Entities); n != mostListedEntities {
		t.Errorf("%d entities", n)
	}
	if diff := cmp.Diff([]string{"The entities of column Entities are the first 500 of a row."}, alerts[0].Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

package alert

import "testing"

func TestEntityIsWhose(t *testing.T) {
	t.Parallel()
	field := func(identifier, value string) Field { return Field{identifier, value} }
	for _, test := range []struct {
		name              string
		entity            Entity
		id, user, address string
	}{
		{"all", Entity{"Account", []Field{field("AadUserId", "ID-1"), field("FullName", " Ana@x.example ")}}, "id-1", "ana@x.example", ""},
		{"in parts", Entity{"Account", []Field{field("Name", "Ana"), field("UPNSuffix", "x.example")}}, "", "ana@x.example", ""},
		{"whole in the name", Entity{"Account", []Field{field("Name", "ana@x.example"), field("UPNSuffix", "x.example")}}, "", "ana@x.example", ""},
		{"the id alone", Entity{"Account", []Field{field("AadUserId", "id-1")}}, "id-1", "", ""},
		{"an address", Entity{"IP", []Field{field("Address", "2001:DB8:0::1")}}, "", "", "2001:db8::1"},
		{"a host with a name", Entity{"Host", []Field{field("Name", "ana"), field("Address", "192.0.2.1")}}, "", "", ""},
	} {
		id, user := test.entity.Account()
		if id != test.id || user != test.user || test.entity.Address() != test.address {
			t.Errorf("%s: %q, %q, %q", test.name, id, user, test.entity.Address())
		}
	}
}

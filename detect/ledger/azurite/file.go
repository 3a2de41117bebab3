package azurite

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// onFile makes Azurite fit for a table of hundreds of thousands of entities. It
// saves its tables when it ends, rather than all of them every five seconds. And
// it looks for an entity by the RowKey first: by the PartitionKey first, as it
// would, it goes through all of a partition to write one entity, which the
// service does not.
const onFile = `
const loki = require(require.resolve('lokijs', { paths: [process.argv[1]] }));
loki.prototype.autosaveEnable = function () { this.autosave = true; };
const { findOne } = loki.Collection.prototype;
loki.Collection.prototype.findOne = function (query) {
  return findOne.call(this, query && 'RowKey' in query ? { RowKey: query.RowKey, ...query } : query);
};
process.stdin.on('end', () => process.emit('SIGINT') || process.exit()).resume();
`

// On starts an Azurite of the test's own, with the tables that a folder holds,
// and returns the address, host:port, of its table service. stop has it save
// them there and end. If the test does not, it ends with it and saves nothing.
func On(t testing.TB, dir string) (addr string, stop func()) {
	t.Helper()
	p, err := start(onFile, "--location", dir)
	check(t, err)
	t.Cleanup(p.kill)
	return p.addr, func() {
		t.Helper()
		p.stdin.Close()
		if err := p.cmd.Wait(); err != nil {
			t.Fatalf("stopping Azurite: %v", err)
		}
	}
}

// Entity is an entity: its keys, which need no escaping in JSON, and all its
// properties as JSON.
type Entity struct {
	PartitionKey, RowKey string
	Properties           []byte
}

// document is an entity in Azurite's file, which is a database of LokiJS.
type document struct {
	PartitionKey     string
	RowKey           string
	Properties       json.RawMessage `json:"properties"`
	LastModifiedTime string          `json:"lastModifiedTime"`
	ETag             string          `json:"eTag"`
	Meta             json.RawMessage `json:"meta"`
	ID               int             `json:"$loki"`
}

// index has the positions of all documents in the order of a property.
type index struct {
	Name   string `json:"name"`
	Dirty  bool   `json:"dirty"`
	Values []int  `json:"values"`
}

// Fill adds entities to a table that an Azurite which was stopped left in a
// folder with at least one entity. They are like that one but for their keys and
// properties. Azurite itself takes a quarter of an hour to add 200,000.
func Fill(t testing.TB, dir, table string, entities []Entity) {
	t.Helper()
	if err := fill(filepath.Join(dir, "__azurite_db_table__.json"), Account+"$"+table, entities); err != nil {
		t.Fatalf("filling the table %s of Azurite: %v", table, err)
	}
}

// fill writes the rows into the files of a stopped emulator.
func fill(path, collection string, entities []Entity) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var db map[string]json.RawMessage
	var collections []map[string]json.RawMessage
	if err := json.Unmarshal(text, &db); err != nil {
		return err
	}
	if err := json.Unmarshal(db["collections"], &collections); err != nil {
		return err
	}
	i := slices.IndexFunc(collections, func(c map[string]json.RawMessage) bool {
		return string(c["name"]) == strconv.Quote(collection)
	})
	if i < 0 {
		return fmt.Errorf("there is no collection %s", collection)
	}
	c := collections[i]
	var docs []document
	var last int
	var indices map[string]index
	for name, value := range map[string]any{"data": &docs, "maxId": &last, "binaryIndices": &indices} {
		d := json.NewDecoder(bytes.NewReader(c[name]))
		d.DisallowUnknownFields() // what another Azurite may have there
		if err := d.Decode(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(docs) == 0 {
		return fmt.Errorf("the collection %s is empty", collection)
	}
	old := bytes.TrimSuffix(c["data"], []byte("]"))
	like := docs[0]
	for _, e := range entities {
		docs = append(docs, document{PartitionKey: e.PartitionKey, RowKey: e.RowKey})
	}
	indices["PartitionKey"] = order("PartitionKey", docs, func(d document) string { return d.PartitionKey })
	indices["RowKey"] = order("RowKey", docs, func(d document) string { return d.RowKey })

	// All but the documents, and these in between.
	c["data"] = json.RawMessage(`"documents"`)
	c["maxId"] = json.RawMessage(strconv.Itoa(last + len(entities)))
	if c["binaryIndices"], err = json.Marshal(indices); err != nil {
		return err
	}
	if db["collections"], err = json.Marshal(collections); err != nil {
		return err
	}
	if text, err = json.Marshal(db); err != nil {
		return err
	}
	head, tail, _ := bytes.Cut(text, c["data"])
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f) // Flush returns the first error
	fmt.Fprintf(w, "%s%s", head, old)
	for i, e := range entities {
		fmt.Fprintf(w, `,{"PartitionKey":%q,"RowKey":%q,"properties":%s,"Timestamp":%q,"Timestamp@odata.type":"Edm.DateTime"},`+
			`"lastModifiedTime":%[4]q,"eTag":%q,"meta":%s,"$loki":%d}`,
			e.PartitionKey, e.RowKey, bytes.TrimSuffix(e.Properties, []byte("}")), like.LastModifiedTime, like.ETag, like.Meta, last+1+i)
	}
	fmt.Fprintf(w, "]%s", tail)
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func order(name string, docs []document, key func(document) string) index {
	x := index{Name: name, Values: make([]int, len(docs))}
	for i := range docs {
		x.Values[i] = i
	}
	slices.SortFunc(x.Values, func(a, b int) int { return cmp.Compare(key(docs[a]), key(docs[b])) })
	return x
}

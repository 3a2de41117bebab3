package kql

import "strings"

// Type is the type of a column or of a scalar expression. The zero Type is no
// type: it stands for "not known" and never appears in a result.
type Type uint8

// The scalar types of KQL. Names and meanings are the reference's.
const (
	Bool     Type = iota + 1
	DateTime      // a point in time, UTC, in ticks of 100 ns from the year 1
	Decimal       // a decimal number of 34 digits
	Dynamic       // any JSON-like value: an array, a property bag or a scalar
	GUID
	Int      // 32 bits, signed
	Long     // 64 bits, signed
	Real     // 64 bits, IEEE 754
	String   // UTF-8; never null, the empty string stands for a missing one
	TimeSpan // ticks of 100 ns, signed
)

// The kinds that only a value inside a Dynamic has. A Value's kind is the type
// of what it holds, so a Dynamic column can hold a value of kind Long.
const (
	kindNull  Type = 0
	kindArray Type = 100 + iota
	kindBag
	kindJSON // JSON text that nobody has looked into yet
)

var typeNames = [...]string{
	Bool: "bool", DateTime: "datetime", Decimal: "decimal", Dynamic: "dynamic", GUID: "guid",
	Int: "int", Long: "long", Real: "real", String: "string", TimeSpan: "timespan",
}

// String returns the name that a schema and the query API use.
func (t Type) String() string {
	switch {
	case int(t) < len(typeNames) && typeNames[t] != "":
		return typeNames[t]
	case t == kindNull:
		return "null"
	case t == kindArray:
		return "array"
	case t == kindBag:
		return "property bag"
	}
	return "unknown"
}

var typeByName = map[string]Type{
	"bool": Bool, "boolean": Bool,
	"datetime": DateTime, "date": DateTime,
	"decimal": Decimal,
	"dynamic": Dynamic,
	"guid":    GUID, "uuid": GUID, "uniqueid": GUID,
	"int": Int, "int32": Int,
	"long": Long, "int64": Long,
	"real": Real, "double": Real,
	"string":   String,
	"timespan": TimeSpan, "time": TimeSpan,
}

// ParseType reads a type's name or one of its aliases, such as boolean, double
// and time. Case does not count.
func ParseType(name string) (Type, bool) {
	t, ok := typeByName[strings.ToLower(name)]
	return t, ok
}

// isNumber says whether arithmetic on the type yields a number.
func (t Type) isNumber() bool {
	return t == Int || t == Long || t == Real || t == Decimal
}

// boxed says whether a vector of the type holds its elements as Values.
func (t Type) boxed() bool { return t == Dynamic || t == GUID || t == Decimal }

// ColumnSchema is a column's name and type.
type ColumnSchema struct {
	Name string
	Type Type
}

// Schema lists the columns of a table, in order. Names are unique and compared
// with case, as the service does.
type Schema []ColumnSchema

// Index returns the position of the column with that name, or -1.
func (s Schema) Index(name string) int {
	for i := range s {
		if s[i].Name == name {
			return i
		}
	}
	return -1
}

// isTime says whether a type is one of those that are counted in ticks.
func (t Type) isTime() bool { return t == DateTime || t == TimeSpan }

package kql

// describing is buildschema(): the types that the values have. A type is its
// name; that of a property bag is a bag of the types of its properties, and that
// of an array a bag of the types of its elements, under a key of its own. Of
// several types it is an array. See
// https://learn.microsoft.com/kusto/query/buildschema-aggregation-function.
type describing struct {
	root  shape
	bytes int64
}

// elementsKey stands for the elements of an array.
const elementsKey = "`indexer`"

// shape is what values at one place are.
type shape struct {
	names  []string // of types
	inner  []*shape // of the properties, if any is a bag or an array
	keys   []string
	places map[string]int
	holds  bool // whether any is a bag or an array
}

func (d *describing) size() int64 { return d.bytes }

func (d *describing) add(args []Value) { d.see(&d.root, args[0]) }

// see takes note of a value. Values that can be held are not deep enough to
// end the stack.
func (d *describing) see(s *shape, v Value) {
	switch {
	case v.IsNull():
	case v.kind == kindBag:
		s.holds = true
		b := v.bag()
		for i, k := range b.keys {
			d.see(d.property(s, k), b.vals[i])
		}
	case v.kind == kindArray:
		s.holds = true
		for _, item := range v.array() {
			d.see(d.property(s, elementsKey), item)
		}
	default:
		name := v.kind.String()
		if v.kind == Real {
			name = "double"
		}
		for _, have := range s.names {
			if have == name {
				return
			}
		}
		s.names = append(s.names, name)
		d.bytes += 32
	}
}

func (d *describing) property(s *shape, key string) *shape {
	if i, ok := s.places[key]; ok {
		return s.inner[i]
	}
	if s.places == nil {
		s.places = make(map[string]int)
		d.bytes += mapBytes(1, textIntEntry)
	}
	of := &shape{}
	s.places[key] = len(s.inner)
	s.inner, s.keys = append(s.inner, of), append(s.keys, key)
	d.bytes += 256 + 2*allocated(int64(len(key)))
	return of
}

func (d *describing) result() Value { return d.root.value() }

// value is null if nothing was seen.
func (s *shape) value() Value {
	var all []Value
	for _, name := range s.names {
		all = append(all, stringValue(name))
	}
	if s.holds {
		b := newBag(len(s.keys))
		for i, k := range s.keys {
			b.set(k, s.inner[i].value())
		}
		all = append(all, bagValue(b))
	}
	switch len(all) {
	case 0:
		return Value{}
	case 1:
		return all[0]
	}
	return arrayValue(all)
}

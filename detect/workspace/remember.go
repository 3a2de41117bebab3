package workspace

import "encoding/json"

// The most cells of a column that are remembered, and the longest.
const (
	mostRemembered    = 512
	longestRemembered = 512
)

// remembering returns a parser that reads equal cells once. The rows of a large
// result say the same of many things, such as an application or a reason, and
// values cannot be changed, so that they may share them. Dynamic values are
// parsed when they are asked for, but for those that are remembered. It adds to held what
// the values take.
func remembering(parse parser, held *int64) parser {
	values := map[string]any{}
	return func(cell json.RawMessage) (any, error) {
		if v, ok := values[string(cell)]; ok {
			return v, nil
		}
		v, err := parse(cell)
		if err == nil && len(cell) <= longestRemembered && len(values) < mostRemembered {
			if d, isDynamic := v.(Dynamic); isDynamic {
				v = d.parsed()
			}
			values[string(cell)] = v
		}
		*held += heldBytes(v)
		return v, err
	}
}

package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Every row has two checksums, one of all its properties and one of those that
// a brief read selects. So an answer of the table service which was damaged on
// its way, and can still be read, is not taken for what was written. The
// version before wrote none.
const (
	sumAll   = "SumAll"
	sumBrief = "Sum"
)

// putSums adds the checksums to an entity that has all of its other properties.
func putSums(e map[string]any) {
	all, brief := sums(e)
	e[sumAll], e[sumBrief] = all, brief
}

// checkSums returns an error if an entity is not as it was written. One without
// checksums is taken as it is.
func checkSums(e map[string]any, brief bool) error {
	wantAll, _ := e[sumAll].(string)
	wantBrief, _ := e[sumBrief].(string)
	if wantAll == "" && wantBrief == "" {
		return nil
	}
	all, part := sums(e)
	if wantBrief != part || !brief && wantAll != all {
		return errSum
	}
	return nil
}

var errSum = errors.New("its checksum does not agree, so it was changed on its way or by hand; if this stays so, delete its properties Sum and SumAll to have it taken as it is")

// sums returns the checksums of the properties. The service adds some of its own,
// and what is said of a property's type is no property.
func sums(e map[string]any) (all, brief string) {
	whole, part := sha256.New(), sha256.New()
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if name == sumAll || name == sumBrief || name == "Timestamp" || strings.Contains(name, "odata.") {
			continue
		}
		b = appendText(b[:0], name)
		switch v := e[name].(type) {
		case string:
			b = appendText(append(b, 's'), v)
		case bool:
			b = strconv.AppendBool(append(b, 'b'), v)
		case int:
			b = strconv.AppendInt(append(b, 'n'), int64(v), 10)
		case float64: // as JSON is read
			b = strconv.AppendFloat(append(b, 'n'), v, 'f', -1, 64)
		default:
			b = fmt.Appendf(append(b, '?'), "%v", v)
		}
		whole.Write(b)
		if slices.Contains(briefNames, name) {
			part.Write(b)
		}
	}
	return hex.EncodeToString(whole.Sum(nil)[:8]), hex.EncodeToString(part.Sum(nil)[:8])
}

// appendText appends a text such that no two lists of texts give the same.
func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

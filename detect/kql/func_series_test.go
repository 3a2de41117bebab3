package kql

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestSeriesOfAnything gives each function of series what rules would not. None may
// panic, and each gives an answer or refuses the query.
func TestSeriesOfAnything(t *testing.T) {
	t.Parallel()
	values := []string{
		"dynamic(null)", "dynamic([])", "dynamic([1])", "dynamic([null,null,null,null])", "dynamic(['a',{},[1],true,1])", "dynamic({\"a\":1})",
		"dynamic([1,2,3,4,5,6,7,8,9,10,11,12])", "pack_array(real(nan),real(+inf),real(-inf),1.0,1.0)", "repeat(5, 40)", "range(1, 1000, 1)",
		"pack_array(9223372036854775807, -9223372036854775807)", "pack_array(1e308, -1e308, 1e308, 1e-308, 5e-324)", "range(datetime(2020-01-01), datetime(2020-01-09), 1d)",
		"pack_array(decimal(1.5), 2)",
	}
	numbers := []string{"0", "-1", "1", "7", "1000000", "-9223372036854775807", "1.5"}
	texts := []string{"''", "'linefit'", "'none'", "'tukey'", "'x'"}
	for _, f := range append(append(seriesFunctions(), seriesFitFunctions()...), seriesDecomposeFunctions()...) {
		name, params, _ := parseSignature(f.sig)
		for i, v := range values {
			for given := range len(params) {
				args := []string{v}
				for k, p := range params[1 : given+1] {
					switch p.kind {
					case "string":
						args = append(args, texts[(i+k)%len(texts)])
					case "array", "series":
						args = append(args, values[(i*3+k)%len(values)])
					case "bool":
						args = append(args, "true")
					case "integer", "long":
						args = append(args, numbers[(i+k)%6])
					default:
						args = append(args, numbers[(i+2*k)%len(numbers)])
					}
				}
				query := "print v = " + v + " | project " + name + "(" + strings.Join(args, ", ") + "), x = " + name + "(v" + strings.TrimPrefix(strings.Join(args, ", "), v) + ")"
				_, err := Run(context.Background(), query, NewDatabase(), Options{Now: exampleTime})
				var refused *Error
				var limit *LimitError
				if err != nil && !errors.As(err, &refused) && !errors.As(err, &limit) {
					t.Errorf("%s\n%v", query, err)
				}
			}
		}
	}
}

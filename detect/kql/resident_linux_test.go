//go:build !race

// The race detector takes memory of its own, so CI runs this file apart.

package kql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// residentLimit is the limit on memory of the queries in TestResidentMemory.
const residentLimit = 64 << 20

// besideQueries is what a process takes beside what its query holds: the program
// itself, and the batches on their way.
const besideQueries = 60 << 20

// residentRows are more rows than the limit has room for.
const residentRows = `range n from 1 to 100000000 step 1 | extend s = strcat('some text of number ', n)`

// residentQueries hold more and more, each in another way, until they are refused.
var residentQueries = []string{
	"summarize percentile(n, 50)",
	"summarize percentiles(n, 5, 50, 95)",
	"summarize percentilesw_array(n, 1, 5, 95)",
	"summarize percentile(n, 50) by s",
	"summarize make_list(n, 100000000)",
	"summarize make_list_if(s, n > 5, 100000000)",
	"summarize make_list(n) by s",
	"summarize make_list(pack_array(n, s), 100000000) by few = n % 3",
	"summarize make_set(n, 100000000)",
	"summarize make_set(s, 100000000)",
	"summarize make_bag(bag_pack(s, n), 100000000)",
	"summarize take_any(s) by tostring(n)",
	"summarize take_anyif(s, n > 5) by n",
	"summarize arg_max(n, s) by s",
	"summarize count() by n",
	"summarize count(), countif(n > 5) by s",
	"summarize max(s), min(n) by s, n",
	"summarize avg(n), stdev(n) by s",
	"summarize dcount(n)",
	"summarize dcount(s)",
	"summarize count_distinct(n * 1.5)",
	"summarize dcountif(s, n > 5) by few = n % 3",
	"distinct s",
	"distinct n, s",
	"sort by n desc",
	"sort by tolower(s) asc",
	"top 100000000 by s",
	"serialize p = prev(s)",
	"serialize sum = row_cumsum(n)",
	"join kind=inner (range n from 1 to 100000000 step 1 | extend t = strcat('x', n)) on n",
	"join kind=leftanti (range n from 1 to 100000000 step 1) on n",
	"join kind=fullouter (range m from 1 to 100000000 step 1 | extend n = m * 1.5) on $left.n == $right.n",
	"lookup (range n from 1 to 100000000 step 1 | extend t = strcat('x', n)) on n",
	"extend a = range(1, 100) | mv-expand a | project n, tostring(a) | sort by n",
	"extend a = range(1, 1000000) | mv-expand a | sort by n",
	"extend a = range(1, 100) | mv-apply a on (summarize make_list(a)) | sort by n",
	"where n in ((range n from 1 to 100000000 step 1)) | count",
	"where s in~ ((range n from 1 to 100000000 step 1 | project tostring(n))) | count",
	"where s has_any ((range n from 1 to 100000000 step 1 | project tostring(n))) | count",
	"as hint.materialized=true X | union X | sort by n",
	"project n, s",
	"project j = parse_json(strcat('[', n, ',1,1,1]'))",
	"project b = bag_pack(s, n) | sort by tostring(b)",
	"union (range n from 1 to 100000000 step 1) | sort by n",
	"extend s = strrep(s, 5000) | summarize make_list(s)",
	"extend s = strrep(s, 2000), t = strrep(tostring(n), 3000) | sort by n",
	"extend a = range(n, n + 100000) | summarize make_list(a)",
	"extend a = range(n, n + 3000), b = pack('x', s, 'y', range(1, n)) | project a, b",
	"extend a = split(strrep(s, 500), ' ') | summarize take_any(a) by n",
}

// TestResidentMemory runs queries past their limit, each in a process of its own,
// and looks at the most memory that the system gave to the process: it must stay
// near the limit. What is charged can be right and this wrong, where slices are
// copied or the collector waits.
func TestResidentMemory(t *testing.T) {
	const variable = "KQL_TEST_RESIDENT_QUERY"
	if query := os.Getenv(variable); query != "" {
		runResident(query)
		return
	}
	for _, query := range residentQueries {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			query = residentRows + " | " + query
			cmd := exec.Command(os.Args[0], "-test.run=^TestResidentMemory$")
			cmd.Env = append(os.Environ(), variable+"="+query, "GOMEMLIMIT=", "GOGC=")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			answer, _, _ := strings.Cut(string(out), "\n")
			kilobytes, message, _ := strings.Cut(answer, " ")
			if !strings.Contains(message, "memory, its limit") {
				t.Fatalf("the query ends with %q, not at its limit on memory\n%s", message, out)
			}
			most := int64(residentLimit*3/2 + besideQueries)
			if n, err := strconv.ParseInt(kilobytes, 10, 64); err != nil || n<<10 > most {
				t.Errorf("the process has had %s kB with a limit of %d kB, want %d kB at most", kilobytes, residentLimit>>10, most>>10)
			}
		})
	}
}

// runResident runs a query and prints the most memory that the process has had, in
// kB, and how the query ended.
func runResident(query string) {
	limits := Limits{Rows: 1 << 30, Bytes: residentLimit, Time: time.Minute}
	BoundMemory(limits)
	_, err := Run(context.Background(), query, NewDatabase(), Options{Limits: limits})
	var limit *LimitError
	if err == nil || !errors.As(err, &limit) {
		err = fmt.Errorf("unexpected end: %w", err)
	}
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	fmt.Println(kilobytes, err)
}

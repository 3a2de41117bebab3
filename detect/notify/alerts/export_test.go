package alerts

import "fmt"

// LookQueries returns the queries that look for rows and for what came of them.
func LookQueries() []string {
	id := []string{"11111111-2222-4333-8444-555555555555"}
	return []string{Table + "\n| where AlertId in (" + list(id) + ")\n| distinct AlertId", fmt.Sprintf(arrivalQuery, list(id), Table)}
}

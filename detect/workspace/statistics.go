package workspace

import (
	"context"
	"encoding/json"
	"log/slog"
)

// statistics is what the service says of the work on a query, as far as it is
// of use. It is not the same for all queries.
type statistics struct {
	Query struct {
		ExecutionTime *float64 `json:"executionTime"` // in seconds
		ResourceUsage struct {
			CPU struct {
				Total string `json:"totalCpu"`
			} `json:"cpu"`
			Memory struct {
				PeakPerNode *float64 `json:"peakPerNode"` // in bytes
			} `json:"memory"`
		} `json:"resourceUsage"`
		Input struct {
			Extents scanned `json:"extents"`
			Rows    scanned `json:"rows"`
		} `json:"inputDatasetStatistics"`
		Dataset []struct {
			Size *float64 `json:"tableSize"` // in bytes
		} `json:"datasetStatistics"`
	} `json:"query"`
}

type scanned struct {
	Scanned *float64 `json:"scanned"`
}

// logStatistics logs what a query cost.
func (c *Client) logStatistics(ctx context.Context, q Query, x *exchange) {
	var s statistics
	if len(x.answer.statistics) > 0 {
		_ = json.Unmarshal(x.answer.statistics, &s) // what is there in another form is left out
	}
	attrs := []slog.Attr{
		slog.String("rule_id", q.RuleID), slog.String("rule_version", q.RuleVersion),
		slog.Time("start", q.Start.UTC()), slog.Time("end", q.End.UTC()),
		slog.String("workspace", c.workspaceID), slog.Int("tries", x.tries), slog.Int("status", x.status),
	}
	if x.answer.table != nil {
		attrs = append(attrs, slog.Int("rows", len(x.answer.table.Rows)))
	}
	number := func(name string, value *float64) {
		if value != nil {
			attrs = append(attrs, slog.Float64(name, *value))
		}
	}
	number("seconds", s.Query.ExecutionTime)
	if cpu := s.Query.ResourceUsage.CPU.Total; cpu != "" {
		attrs = append(attrs, slog.String("cpu", oneLine(cpu)))
	}
	number("peak_bytes", s.Query.ResourceUsage.Memory.PeakPerNode)
	number("scanned_rows", s.Query.Input.Rows.Scanned)
	number("scanned_extents", s.Query.Input.Extents.Scanned)
	if len(s.Query.Dataset) > 0 {
		number("result_bytes", s.Query.Dataset[0].Size)
	}
	c.logger.LogAttrs(ctx, slog.LevelDebug, "query statistics", attrs...)
}

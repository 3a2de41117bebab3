package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/external"
	"pushback/detect/geoip"
	"pushback/detect/kql"
	"pushback/handler/settings"
)

// The settings that --external and --geoip stand before.
const (
	externalVariable = settings.Prefix + "_EXTERNAL"
	geoipVariable    = settings.Prefix + "_GEOIP"
)

// queryData is what queries that run here read beside the logs, and what bounds them.
type queryData struct {
	used     bool // the command runs queries
	external string
	geoip    string
	memory   byteSize
	timeout  patience
	rows     rowCount
	once     sync.Once
	places   *geoip.Database
	err      error
}

func (d *queryData) flags(cmd *cobra.Command) {
	d.used = true
	externalFlag(cmd, &d.external)
	cmd.Flags().StringVar(&d.geoip, "geoip", "", "MaxMind database of the places of addresses, such as GeoLite2-City.mmdb (default: "+geoipVariable+")")
	cmd.Flags().Var(&d.memory, "memory", "most memory that a query may hold, such as 512M or 4G (default: a quarter of what there is)")
	cmd.Flags().Var(&d.timeout, "timeout", "most time that a query may take, such as 30s or 1h (default: 10m)")
	cmd.Flags().Var(&d.rows, "rows", "most rows that an operator of a query may hold (default: 5000000)")
}

func externalFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "external", "", "folder of the files that externaldata reads, by host and path (default: "+externalVariable+")")
}

// into adds it to what queries can call.
func (d *queryData) into(l *library) error {
	if !d.used {
		return nil
	}
	l.limits = kql.Limits{Bytes: int64(d.memory), Time: time.Duration(d.timeout), Rows: int(d.rows)}
	dir, named := externalFolder(d.external)
	if dir != "" {
		info, err := os.Stat(dir)
		switch {
		case err != nil:
			return usageError{fmt.Errorf("%s %s: %w: handler external pull makes it", named, dir, withoutPath(err))}
		case !info.IsDir():
			return usageError{fmt.Errorf("%s %s is a file: name the folder of the files that externaldata reads", named, dir)}
		}
	}
	l.external = external.Open(dir)
	// The database stays open, as the process ends with its queries.
	d.once.Do(func() {
		file, named := d.geoip, "--geoip"
		if file == "" {
			file, named = os.Getenv(geoipVariable), geoipVariable
		}
		if file == "" {
			return
		}
		if d.places, d.err = geoip.Open(file); d.err != nil {
			d.err = usageError{fmt.Errorf("%s %s: %w", named, file, d.err)}
		}
	})
	if d.places != nil {
		l.location = d.places.Find
	}
	return d.err
}

// externalFolder is the folder that the command line or the setting names.
func externalFolder(flag string) (dir, named string) {
	if flag != "" {
		return flag, "--external"
	}
	return os.Getenv(externalVariable), externalVariable
}

// byteSize is a size on the command line.
type byteSize int64

// String writes it as Set reads it.
func (s *byteSize) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type names the value in the help.
func (s *byteSize) Type() string { return "size" }

// Set makes it a flag's value.
func (s *byteSize) Set(text string) error {
	wrong := errors.New("expected a size such as 512M, 4G or 4GiB")
	number := strings.TrimRight(strings.ToUpper(text), "BI")
	shift := 0
	for i, unit := range []string{"K", "M", "G", "T"} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, shift = rest, 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(n > 0) || n*float64(int64(1)<<shift) > math.MaxInt64/4 {
		return wrong
	}
	*s = byteSize(n * float64(int64(1)<<shift))
	if *s < 1<<20 {
		return errors.New("expected 1M or more")
	}
	return nil
}

// patience is a time on the command line.
type patience time.Duration

// String writes it as Set reads it.
func (p *patience) String() string {
	if *p == 0 {
		return ""
	}
	return time.Duration(*p).String()
}

// Type names the value in the help.
func (p *patience) Type() string { return "time" }

// Set makes it a flag's value.
func (p *patience) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("expected a time such as 30s, 10m or 1h")
	}
	*p = patience(d)
	return nil
}

// rowCount is a number of rows on the command line.
type rowCount int

// String writes it as Set reads it.
func (r *rowCount) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.Itoa(int(*r))
}

// Type names the value in the help.
func (r *rowCount) Type() string { return "number" }

// Set makes it a flag's value.
func (r *rowCount) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n <= 0 {
		return errors.New("expected a number of rows, 1 or more")
	}
	*r = rowCount(n)
	return nil
}

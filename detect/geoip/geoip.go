// Package geoip says where IP addresses are, from a MaxMind database that the user
// gives.
package geoip

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"

	"pushback/detect/kql"
)

// Database is an open database. It is read where the file is mapped, so any number of
// queries may ask it at once.
type Database struct{ reader *maxminddb.Reader }

// Open opens a file. It must be a database of cities or of countries.
func Open(file string) (*Database, error) {
	r, err := maxminddb.Open(file)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			return nil, at.Err
		}
		return nil, fmt.Errorf("it is no MaxMind database (.mmdb): %w", err)
	}
	if kind := r.Metadata.DatabaseType; !strings.Contains(kind, "City") && !strings.Contains(kind, "Country") && !strings.Contains(kind, "Enterprise") && !strings.Contains(kind, "Insights") {
		return nil, errors.Join(fmt.Errorf("it is a MaxMind database of the type %.80q, which says nothing of places: GeoLite2-City is one that does", kind), r.Close())
	}
	return &Database{r}, nil
}

// Close gives the file back.
func (d *Database) Close() error { return d.reader.Close() }

type names struct {
	Names struct {
		English string `maxminddb:"en"`
	} `maxminddb:"names"`
}

// Find says where an address is, and whether the database knows of it.
func (d *Database) Find(ip netip.Addr) (kql.Location, bool) {
	var record struct {
		Country      names   `maxminddb:"country"`
		City         names   `maxminddb:"city"`
		Subdivisions []names `maxminddb:"subdivisions"`
		Location     struct {
			Latitude  *float64 `maxminddb:"latitude"`
			Longitude *float64 `maxminddb:"longitude"`
		} `maxminddb:"location"`
	}
	result := d.reader.Lookup(ip)
	if !result.Found() || result.Decode(&record) != nil { // a damaged record is as good as none
		return kql.Location{}, false
	}
	l := kql.Location{
		Country: clean(record.Country), City: clean(record.City),
		Latitude: record.Location.Latitude, Longitude: record.Location.Longitude,
	}
	if len(record.Subdivisions) > 0 {
		l.State = clean(record.Subdivisions[0])
	}
	return l, true
}

func clean(n names) string { return strings.ToValidUTF8(n.Names.English, "\uFFFD") }

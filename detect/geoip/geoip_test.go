package geoip

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"pushback/detect/kql"
)

func write(t *testing.T, kind string) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	name := func(text string) mmdbtype.Map {
		return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(text), "de": mmdbtype.String("x")}}
	}
	for network, record := range map[string]mmdbtype.Map{
		"20.53.0.0/16": {"country": name("Australia"), "city": name("Sydney"), "subdivisions": mmdbtype.Slice{name("New South Wales"), name("other")},
			"location": mmdbtype.Map{"latitude": mmdbtype.Float64(-33.8715), "longitude": mmdbtype.Float64(151.2006)}},
		"2a03:2880::/32": {"country": name("United States")},
		"9.9.9.0/24":     {"location": mmdbtype.Map{"latitude": mmdbtype.Float64(0), "longitude": mmdbtype.Float64(0)}},
	} {
		_, at, err := net.ParseCIDR(network)
		if err == nil {
			err = tree.Insert(at, record)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "places.mmdb")
	f, err := os.Create(file)
	if err == nil {
		_, err = tree.WriteTo(f)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestQuery(t *testing.T) {
	t.Parallel()
	places, err := Open(write(t, "GeoLite2-City"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = places.Close() })
	db := kql.NewDatabase()
	db.Location = places.Find
	for ip, want := range map[string]string{
		"20.53.203.50":                  `{"country":"Australia","state":"New South Wales","city":"Sydney","latitude":-33.8715,"longitude":151.2006}`,
		"::ffff:20.53.203.50":           `{"country":"Australia","state":"New South Wales","city":"Sydney","latitude":-33.8715,"longitude":151.2006}`,
		"2a03:2880:f12c:83:face:b00c::": `{"country":"United States"}`,
		"9.9.9.9":                       `{"latitude":0.0,"longitude":0.0}`,
		"10.0.0.1":                      "", "": "", "20.53.203.50:443": "", "nonsense": "",
	} {
		out, err := kql.Run(t.Context(), "print ip = '"+ip+"' | extend l = geo_info_from_ip_address(ip)", db, kql.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.Value(0, 1).String(); got != want || len(out.Warnings()) > 0 {
			t.Errorf("%s: got %s and %q, want %s", ip, got, out.Warnings(), want)
		}
	}
	out, err := kql.Run(t.Context(), "print a = geo_info_from_ip_address('20.53.203.50'), b = geo_info_from_ip_address('1.1.1.1')", kql.NewDatabase(), kql.Options{})
	if err != nil || out.Value(0, 0).String() != "{}" || len(out.Warnings()) != 1 || !strings.Contains(out.Warnings()[0], "--geoip") {
		t.Errorf("without a database: got %v, %v", out, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Open(write(t, "GeoLite2-ASN")); err == nil || !strings.Contains(err.Error(), "GeoLite2-ASN") {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "x.mmdb")
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "no MaxMind database") || strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(file + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

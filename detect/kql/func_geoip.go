package kql

import (
	"net/netip"
	"slices"
)

// Location is where an IP address is. What is not known of it is empty, or nil.
type Location struct {
	Country, State, City string
	Latitude, Longitude  *float64
}

// geoIPFunctions look IP addresses up in a database that the user gives.
func geoIPFunctions() []*scalarFunction {
	return []*scalarFunction{
		{sig: "geo_info_from_ip_address(ip:string) dynamic", bind: bindGeoIP,
			doc:      "A property bag of country, state, city, latitude and longitude of an IPv4 or IPv6 address, without what is not known, and null if nothing is; from the database of --geoip, and empty without one. The service has MaxMind's GeoLite2, of a day of its own.",
			examples: examples{"geo_info_from_ip_address('no address')", "{}", "geo_info_from_ip_address('20.53.203.50').country", "null"}},
	}
}

// bindGeoIP looks addresses up as the query runs. What is no address, or is not covered,
// is null in the service too, as the documentation of the engine KustoLoco says.
func bindGeoIP(b *binder, _ *call, args []expr) expr {
	locate := b.db.Location
	if locate == nil && !b.dry {
		const warning = "geo_info_from_ip_address() gives empty bags: give a MaxMind database with --geoip FILE.mmdb (or PUSHBACK_GEOIP)"
		if !slices.Contains(b.warnings, warning) {
			b.warnings = append(b.warnings, warning)
		}
	}
	return fold(&applyExpr{t: Dynamic, args: args, rows: func(a []Value) Value {
		if locate == nil {
			return bagValue(newBag(0))
		}
		ip, err := netip.ParseAddr(a[0].s)
		if err != nil {
			return Value{}
		}
		where, ok := locate(ip.WithZone("").Unmap())
		if !ok {
			return Value{}
		}
		out := newBag(5)
		for _, part := range []struct{ key, text string }{{"country", where.Country}, {"state", where.State}, {"city", where.City}} {
			if part.text != "" {
				out.set(part.key, stringValue(part.text))
			}
		}
		if where.Latitude != nil && where.Longitude != nil {
			out.set("latitude", realValue(*where.Latitude))
			out.set("longitude", realValue(*where.Longitude))
		}
		return bagValue(out)
	}})
}

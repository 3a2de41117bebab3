package kql

import "strings"

// unsupportedFunctions are the functions and aggregates of the language that
// are not here. A query that uses one is correct, and the error says so.
var unsupportedFunctions = wordSet(strings.Fields(`
	adx all app arg cluster current_cluster_endpoint current_cursor current_database current_node_id
	current_principal current_principal_details current_principal_is_member_of cursor_after cursor_before_or_at
	cursor_current database dcount_hll entity_group extent_id extent_tags extentid external_table geo_angle geo_azimuth
	geo_closest_point_on_line geo_closest_point_on_polygon geo_distance_2points geo_distance_point_to_line
	geo_distance_point_to_polygon geo_from_wkt geo_geohash_neighbors geo_geohash_to_central_point geo_geohash_to_polygon
	geo_h3cell_children geo_h3cell_level geo_h3cell_neighbors geo_h3cell_parent geo_h3cell_rings
	geo_h3cell_to_central_point geo_h3cell_to_polygon geo_intersection_2lines geo_intersection_2polygons
	geo_intersection_line_with_polygon geo_intersects_2lines geo_intersects_2polygons geo_intersects_line_with_polygon
	geo_line_buffer geo_line_centroid geo_line_densify geo_line_interpolate_point geo_line_length geo_line_locate_point
	geo_line_simplify geo_line_to_s2cells geo_point_buffer geo_point_in_circle geo_point_in_polygon geo_point_to_geohash
	geo_point_to_h3cell geo_point_to_s2cell geo_polygon_area geo_polygon_buffer geo_polygon_centroid geo_polygon_densify
	geo_polygon_perimeter geo_polygon_simplify geo_polygon_to_h3cells geo_polygon_to_s2cells geo_s2cell_neighbors
	geo_s2cell_to_central_point geo_s2cell_to_polygon geo_simplify_polygons_array geo_union_lines_array
	geo_union_polygons_array graph hash_combine hash_many hll hll_if hll_isvalid hll_merge inner_nodes labels
	map materialized_view merge_tdigest node_degree_in node_degree_out node_id passthrough
	percentile_tdigest percentiles_array_tdigest percentrank_tdigest rank_tdigest resource row_id row_rank rowstore_ordinal_range
	stored_query_result tdigest tdigest_isvalid tdigest_merge workspace
`)...)

// insteadOf says for some of them what to use.
var insteadOf = map[string]string{
	"hash_many": "how the service combines hashes is not published: use hash(strcat(...))", "hash_combine": "how the service combines hashes is not published: use hash(strcat(...))",
	"hll": "use dcount(), which is exact here", "hll_if": "use dcountif(), which is exact here",
	"dcount_hll": "use dcount(), which is exact here", "tdigest": "use percentile(), which is exact here",
	"percentile_tdigest": "use percentile(), which is exact here",
	"cluster":            "there is one database here", "database": "there is one database here",
	"workspace": "there is one workspace here: name the table alone, and give the logs of all workspaces by --logs",
	"app":       "there is one workspace here: name the table alone, and give its logs by --logs",
	"resource":  "there is one workspace here: name the table alone, and give its logs by --logs",
	"adx":       "export the table, name it alone, and give its logs by --logs", "arg": "export the resources, and give them by --logs or as a watchlist",
	"all": "join relates tables", "map": "mv-apply works on each element", "graph": "join relates tables", "inner_nodes": "join relates tables", "labels": "join relates tables",
	"passthrough": "use take_any()", "rank_tdigest": "use countif()", "row_id": "use row_number()", "row_rank": "use row_rank_dense()",
	"entity_group": "there is one database here", "external_table": "give the logs by --logs", "materialized_view": "summarize the table", "stored_query_result": "materialize() keeps a table within a query",
	"rowstore_ordinal_range": "there is no store of rows here",
}

// insteadOfFamily holds for all whose names begin alike.
var insteadOfFamily = map[string]string{
	"geo_":           "compare by the country or the city that the record carries",
	"current_cursor": "filter by ingestion_time()", "cursor_": "filter by ingestion_time()",
	"current_": "there is no cluster here, nor anybody who is signed in", "extent": "there are no extents here",
	"hll": "use dcount(), which is exact here", "merge_tdigest": "use percentile(), which is exact here", "tdigest": "use percentile(), which is exact here",
	"percentile": "use percentile(), which is exact here", "percentrank": "use percentile(), which is exact here", "node_": "join relates tables",
}

// insteadOfFunction says what to use instead of a function that is refused.
func insteadOfFunction(fn string) string {
	hint, longest := insteadOf[fn], ""
	for family, instead := range insteadOfFamily {
		if insteadOf[fn] == "" && len(family) > len(longest) && strings.HasPrefix(fn, family) {
			hint, longest = instead, family
		}
	}
	return hint
}

// unsupportedFunction is the error of a function of the language that is not
// here. It is nil if the name is not that of one.
func unsupportedFunction(fn name) *problem {
	if !unsupportedFunctions[fn.text] {
		return nil
	}
	hint := insteadOfFunction(fn.text)
	if hint != "" {
		hint = "; " + hint
	}
	return unsupportedError(fn.span, "the function %s() is not supported%s", fn.text, hint)
}

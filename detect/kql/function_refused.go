package kql

import "strings"

// unsupportedFunctions are the functions and aggregates of the language that
// are not here. A query that uses one is correct, and the error says so.
var unsupportedFunctions = wordSet(strings.Fields(`
	all argmax argmin assert beta_cdf beta_inv beta_pdf bin_auto buildschema cluster column_names_of convert_angle
	convert_energy convert_force convert_length convert_mass convert_speed convert_temperature convert_volume
	current_cluster_endpoint current_cursor current_database current_node_id current_principal current_principal_details
	current_principal_is_member_of cursor_after cursor_before_or_at cursor_current database datetime_list_timezones
	dcount_hll entity_group erf erfc estimate_data_size extent_id extent_tags extentid external_table gamma geo_angle
	geo_azimuth geo_closest_point_on_line geo_closest_point_on_polygon geo_distance_2points geo_distance_point_to_line
	geo_distance_point_to_polygon geo_from_wkt geo_geohash_neighbors geo_geohash_to_central_point geo_geohash_to_polygon
	geo_h3cell_children geo_h3cell_level geo_h3cell_neighbors geo_h3cell_parent geo_h3cell_rings
	geo_h3cell_to_central_point geo_h3cell_to_polygon geo_intersection_2lines
	geo_intersection_2polygons geo_intersection_line_with_polygon geo_intersects_2lines geo_intersects_2polygons
	geo_intersects_line_with_polygon geo_line_buffer geo_line_centroid geo_line_densify geo_line_interpolate_point
	geo_line_length geo_line_locate_point geo_line_simplify geo_line_to_s2cells geo_point_buffer geo_point_in_circle
	geo_point_in_polygon geo_point_to_geohash geo_point_to_h3cell geo_point_to_s2cell geo_polygon_area
	geo_polygon_buffer geo_polygon_centroid geo_polygon_densify geo_polygon_perimeter geo_polygon_simplify
	geo_polygon_to_h3cells geo_polygon_to_s2cells geo_s2cell_neighbors geo_s2cell_to_central_point geo_s2cell_to_polygon
	geo_simplify_polygons_array geo_union_lines_array geo_union_polygons_array graph gzip_compress_to_base64_string
	hash_combine hash_many hll hll_if hll_isvalid hll_merge inner_nodes iscolumnexists labels loggamma make_dictionary
	map materialized_view merge_tdigest new_guid node_degree_in node_degree_out node_id parse_command_line
	parse_user_agent parse_xml passthrough percentile_tdigest percentiles_array_tdigest percentrank_tdigest
	punycode_domain_from_string punycode_domain_to_string punycode_from_string punycode_to_string rand rank_tdigest
	row_id row_rank rowstore_ordinal_range
	stored_query_result
	tdigest tdigest_isvalid tdigest_merge treepath weekofyear welch_test zlib_compress_to_base64_string
`)...)

// insteadOf says for some of them what to use.
var insteadOf = map[string]string{
	"argmax": "use arg_max()", "argmin": "use arg_min()", "make_dictionary": "use make_bag()",
	"weekofyear": "use week_of_year(), which counts as ISO 8601 does",
	"bin_auto":   "use bin() with a size", "iscolumnexists": "use column_ifexists()",
	"parse_xml": "use extract() on the text", "parse_user_agent": "use extract() on the text",
	"parse_command_line": "use split() or extract_all()", "treepath": "use bag_keys()",
	"hash_many": "use hash_sha256(strcat(...))", "hash_combine": "use hash_sha256(strcat(...))",
	"hll": "use dcount(), which is exact here", "hll_if": "use dcountif(), which is exact here",
	"dcount_hll": "use dcount(), which is exact here", "tdigest": "use percentile(), which is exact here",
	"percentile_tdigest": "use percentile(), which is exact here",
	"cluster":            "there is one database here", "database": "there is one database here",
	"rand":     "an answer that changes from run to run can not be tested",
	"new_guid": "an answer that changes from run to run can not be tested",
}

// insteadOfFamily holds for all whose names begin alike.
var insteadOfFamily = map[string]string{
	"geo_":     "compare by the country or the city that the record carries",
	"convert_": "multiply by the unit's factor",
}

// unsupportedFunction is the error of a function of the language that is not
// here. It is nil if the name is not that of one.
func unsupportedFunction(fn name) *problem {
	if !unsupportedFunctions[fn.text] {
		return nil
	}
	hint := insteadOf[fn.text]
	for family, instead := range insteadOfFamily {
		if hint == "" && strings.HasPrefix(fn.text, family) {
			hint = instead
		}
	}
	if hint != "" {
		hint = "; " + hint
	}
	return unsupportedError(fn.span, "the function %s() is not supported%s", fn.text, hint)
}

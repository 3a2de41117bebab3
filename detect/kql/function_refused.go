package kql

import "strings"

// unsupportedFunctions are the functions and aggregates of the language that
// are not here, so that a query that uses one is told so, and not that it made
// a mistake.
var unsupportedFunctions = wordSet(strings.Fields(`
	acos all argmax argmin around array_iff array_iif array_rotate_left array_rotate_right array_shift_left
	array_shift_right array_split array_strcat array_sum arraylength asin assert atan atan2 bag_pack_columns
	bag_remove_keys bag_set_key bag_zip base64_decode_toarray base64_decode_toguid base64_decodestring
	base64_encode_fromarray base64_encode_fromguid base64_encodestring beta_cdf beta_inv beta_pdf bin_at bin_auto
	binary_all_and binary_all_or binary_all_xor binary_and binary_not binary_or binary_shift_left binary_shift_right
	binary_xor bitset_count_ones buildschema cluster cnt column_names_of convert_angle convert_energy convert_force
	convert_length convert_mass convert_speed convert_temperature convert_volume cos cot countof covariance
	covarianceif covariancep covariancepif current_cluster_endpoint current_cursor current_database current_node_id
	current_principal current_principal_details current_principal_is_member_of cursor_after cursor_before_or_at
	cursor_current database datepart datetime_list_timezones datetime_local_to_utc datetime_part
	datetime_utc_to_local dcount_hll degrees dynamic_to_json entity_group erf erfc estimate_data_size exp10 exp2
	extent_id extent_tags extentid external_table extract_all extract_json extractall extractjson format_bytes
	format_datetime format_ipv4 format_ipv4_mask format_timespan gamma geo_angle geo_azimuth
	geo_closest_point_on_line geo_closest_point_on_polygon geo_distance_2points geo_distance_point_to_line
	geo_distance_point_to_polygon geo_from_wkt geo_geohash_neighbors geo_geohash_to_central_point
	geo_geohash_to_polygon geo_h3cell_children geo_h3cell_level geo_h3cell_neighbors geo_h3cell_parent
	geo_h3cell_rings geo_h3cell_to_central_point geo_h3cell_to_polygon geo_info_from_ip_address
	geo_intersection_2lines geo_intersection_2polygons geo_intersection_line_with_polygon geo_intersects_2lines
	geo_intersects_2polygons geo_intersects_line_with_polygon geo_line_buffer geo_line_centroid geo_line_densify
	geo_line_interpolate_point geo_line_length geo_line_locate_point geo_line_simplify geo_line_to_s2cells
	geo_point_buffer geo_point_in_circle geo_point_in_polygon geo_point_to_geohash geo_point_to_h3cell
	geo_point_to_s2cell geo_polygon_area geo_polygon_buffer geo_polygon_centroid geo_polygon_densify
	geo_polygon_perimeter geo_polygon_simplify geo_polygon_to_h3cells geo_polygon_to_s2cells geo_s2cell_neighbors
	geo_s2cell_to_central_point geo_s2cell_to_polygon geo_simplify_polygons_array geo_union_lines_array
	geo_union_polygons_array graph gzip_compress_to_base64_string gzip_decompress_from_base64_string has_any_index
	has_any_ipv4 has_any_ipv4_prefix has_ipv4 has_ipv4_prefix hash hash_combine hash_many hash_md5 hash_sha1
	hash_xxhash64 hll hll_if hll_isvalid hll_merge indexof_regex inner_nodes ipv4_compare ipv4_is_in_any_range
	ipv4_is_in_range ipv4_is_match ipv4_is_private ipv4_netmask_suffix ipv4_range_to_cidr_list ipv6_compare
	ipv6_is_in_any_range ipv6_is_in_range ipv6_is_match isascii iscolumnexists isutf8 jaccard_index labels loggamma
	make_datetime make_dictionary make_list_with_nulls make_string make_timespan makelist makeset map
	materialized_view merge_tdigest new_guid node_degree_in node_degree_out node_id pack_all pack_dictionary
	parse_command_line parse_csv parse_ipv4 parse_ipv4_mask parse_ipv6 parse_ipv6_mask parse_path parse_url
	parse_urlquery parse_user_agent parse_version parse_xml parsejson parseurl parseurlquery passthrough percentile
	percentile_tdigest percentiles percentiles_array percentiles_array_tdigest percentilesw percentilesw_array
	percentilew percentrank_tdigest pi punycode_domain_from_string punycode_domain_to_string punycode_from_string
	punycode_to_string radians rand range rank_tdigest regex_quote repeat replace replace_strings row_id row_rank
	rowstore_ordinal_range series_abs series_acos series_add series_asin series_atan series_ceiling series_cos
	series_cosine_similarity series_decompose series_decompose_anomalies series_decompose_forecast series_divide
	series_dot_product series_equals series_exp series_fft series_fill_backward series_fill_const series_fill_forward
	series_fill_linear series_fir series_fit_2lines series_fit_2lines_dynamic series_fit_line series_fit_line_dynamic
	series_fit_poly series_floor series_greater series_greater_equals series_ifft series_iir series_less
	series_less_equals series_log series_magnitude series_multiply series_not_equals series_outliers
	series_pearson_correlation series_periods_detect series_periods_validate series_pow series_product
	series_seasonal series_sign series_sin series_stats series_stats_dynamic series_subtract series_sum series_tan
	set_equals sin stdev stdevif stdevp stored_query_result string_size strrep tan tdigest tdigest_isvalid
	tdigest_merge to_utf8 tohex toobject totime translate treepath unicode_codepoints_from_string
	unicode_codepoints_to_string unixtime_microseconds_todatetime unixtime_milliseconds_todatetime
	unixtime_nanoseconds_todatetime unixtime_seconds_todatetime url_encode_component variance varianceif variancep
	variancepif week_of_year weekofyear welch_test zip zlib_compress_to_base64_string
	zlib_decompress_from_base64_string
`)...)

// insteadOf says for some of them what to use.
var insteadOf = map[string]string{
	"makeset": "use make_set()", "makelist": "use make_list()", "argmax": "use arg_max()", "argmin": "use arg_min()",
	"make_dictionary": "use make_bag()", "arraylength": "use array_length()", "parsejson": "use parse_json()",
	"toobject": "use parse_json()", "totime": "use totimespan()", "datepart": "use the function of that part, such as hourofday()",
	"geo_info_from_ip_address": "use the location that the sign-in carries",
	"cluster":                  "there is one database here", "database": "there is one database here",
	"rand":     "an answer that changes from run to run can not be tested",
	"new_guid": "an answer that changes from run to run can not be tested",
}

// refuseFunction fails if the name is that of an unsupported function.
func refuseFunction(fn name) {
	if !unsupportedFunctions[fn.text] {
		return
	}
	hint := ""
	if instead := insteadOf[fn.text]; instead != "" {
		hint = "; " + instead
	}
	failUnsupported(fn.span, "the function %s() is not supported%s", fn.text, hint)
}

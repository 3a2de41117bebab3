package kql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// seriesLog is the log of the reference's examples of make-series.
const seriesLog = `let data=datatable(timestamp:datetime, metric: real)
[
  datetime(2016-12-31T06:00), 50, datetime(2017-01-01), 4, datetime(2017-01-02), 3, datetime(2017-01-03), 4, datetime(2017-01-03T03:00), 6,
  datetime(2017-01-05), 8, datetime(2017-01-05T13:40), 13, datetime(2017-01-06), 4, datetime(2017-01-07), 3, datetime(2017-01-08), 8,
  datetime(2017-01-08T21:00), 8, datetime(2017-01-09), 2, datetime(2017-01-09T12:00), 11, datetime(2017-01-10T05:00), 5,
];
let interval = 1d; let stime = datetime(2017-01-01); let etime = datetime(2017-01-10);
data
`

const (
	seriesDays = `["2017-01-01T00:00:00.0000000Z","2017-01-02T00:00:00.0000000Z","2017-01-03T00:00:00.0000000Z","2017-01-04T00:00:00.0000000Z","2017-01-05T00:00:00.0000000Z","2017-01-06T00:00:00.0000000Z","2017-01-07T00:00:00.0000000Z","2017-01-08T00:00:00.0000000Z","2017-01-09T00:00:00.0000000Z"]`
	seriesSpan = "from stime to etime step interval"
	traffic    = `dynamic([80, 139, 87, 110, 68, 54, 50, 51, 53, 133, 86, 141, 97, 156, 94, 149, 95, 140, 77, 61, 50, 54, 47, 133, 72, 152, 94, 148, 105, 162, 101, 160, 87, 63, 53, 55, 54, 151, 103, 189, 108, 183, 113, 175, 113, 178, 90, 71, 62, 62, 65, 165, 109, 181, 115, 182, 121, 178, 114, 170])`
	powers     = "range x from 1 to 3 step 1 | extend y = x * 2 | extend z = y * 2 | project s1 = pack_array(x,y,z), s2 = pack_array(z, y, x) | extend "
)

// seriesQueries have the answer that the reference prints, or one in its sense. Cells
// are divided by |, rows by lines.
var seriesQueries = []struct{ query, want, official string }{
	// make-series
	{query: seriesLog + "| make-series avg(metric) on timestamp " + seriesSpan,
		want: "avg_metric:dynamic, timestamp:dynamic\n[4.0,3.0,5.0,0.0,10.5,4.0,3.0,8.0,6.5] | " + seriesDays},
	{query: seriesLog + "| take 0 | make-series avg(metric) default=1.0 on timestamp " + seriesSpan + " | count", want: "Count:long\n0"},
	{query: seriesLog + "| take 0 | make-series kind=nonempty avg(metric) default=1.0 on timestamp " + seriesSpan,
		want: "avg_metric:dynamic, timestamp:dynamic\n[1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0] | " + seriesDays},
	{query: seriesLog + "| make-series n=count() default=-1, avg(metric) default=double(null) on timestamp in range(stime, datetime(2017-01-04 12:00), 1d)",
		want: "n:dynamic, avg_metric:dynamic, timestamp:dynamic\n[1,1,2,-1] | [4.0,3.0,5.0,null] | " + seriesDays[:strings.Index(seriesDays, `,"2017-01-05`)] + "]"},
	{query: seriesLog + "| make-series n=count() on metric from 1 to 61 step 20 by late = timestamp > stime + 4d",
		want: "late:bool, n:dynamic, metric:dynamic\nfalse | [5,0,1] | [1.0,21.0,41.0]\ntrue | [8,0,0] | [1.0,21.0,41.0]"},
	{query: seriesLog + "| make-series n=count() on metric step 4 by late = timestamp > stime + 4d | project late, n, metric",
		want: "late:bool, n:dynamic, metric:dynamic\nfalse | [1,3,1,0,0,0,0,0,0,0,0,0,1] | [0.0,4.0,8.0,12.0,16.0,20.0,24.0,28.0,32.0,36.0,40.0,44.0,48.0]\ntrue | [2,2,3,1] | [0.0,4.0,8.0,12.0]"},
	{query: seriesLog + "| make-series 2*count(), dcount(metric) on d=bin(timestamp, 1d) from stime to etime step 3d by bin(timestamp, 30d)",
		want: "timestamp:datetime, Column1:dynamic, dcount_metric:dynamic, d:dynamic\n2016-12-23T00:00:00.0000000Z | [8,6,10] | [3,3,4] | " + `["2017-01-01T00:00:00.0000000Z","2017-01-04T00:00:00.0000000Z","2017-01-07T00:00:00.0000000Z"]`},
	{query: seriesLog + "| make-series percentile(metric, 90) on timestamp from stime to etime step 3d | project-away timestamp", want: "percentile_metric_90:dynamic\n[6.0,13.0,11.0]",
		official: "the parser calls the arrays longs"},
	{query: seriesLog + "| make-series percentiles(metric, 50, 90), n=count() on timestamp from stime to etime step 3d | project-away timestamp", want: "percentile_metric_50:dynamic, percentile_metric_90:dynamic, n:dynamic\n[4.0,8.0,8.0] | [6.0,13.0,11.0] | [4,3,5]",
		official: "the parser calls the arrays longs"},
	{query: seriesLog + "| make-series (high, at)=arg_max(metric, bin(timestamp, 1d)) default=real(null) on timestamp from stime to datetime(2017-01-04) step 2d | project high, at", want: "high:dynamic, at:dynamic\n" + `[4.0,6.0] | ["2017-01-01T00:00:00.0000000Z","2017-01-03T00:00:00.0000000Z"]`},
	{query: seriesLog + "| make-series n=count() on timestamp to datetime(2017-01-03) step 1d by bin(timestamp, 30d) | project n", want: "n:dynamic\n[1,1,1]"},
	{query: seriesLog + "| make-series n=count() on timestamp from datetime(2018-01-01) to datetime(2018-01-03) step 1d", want: "n:dynamic, timestamp:dynamic"},
	{query: "range t from 1h to 5h step 90m | make-series max(t), n=count() default=7 on t from 0h to 6h step 2h", want: "max_t:dynamic, n:dynamic, t:dynamic\n" + `["01:00:00","02:30:00","04:00:00"] | [1,1,1] | ["00:00:00","02:00:00","04:00:00"]`},
	{query: "datatable(t:datetime)[datetime(2026-03-17), datetime(2026-03-17 00:00:00.0000002)] | make-series n=count() on t step 1tick", want: "n:dynamic, t:dynamic\n" + `[1,0,1] | ["2026-03-17T00:00:00.0000000Z","2026-03-17T00:00:00.0000001Z","2026-03-17T00:00:00.0000002Z"]`},
	{query: "datatable(x:real)[1.5, real(nan), real(+inf), real(null)] | make-series n=count() on x step 1", want: "n:dynamic, x:dynamic\n[1] | [1.0]"},
	{query: "print d=dynamic({'a':1}), n=5 | make-series count(), any=take_any(d), s=max(tostring(n)) default='none' on n from 4 to 7 step 1 by d", want: "d:dynamic, count_:dynamic, any:dynamic, s:dynamic, n:dynamic\n" + `{"a":1} | [0,1,0] | [null,{"a":1},null] | ["none","5","none"] | [4,5,6]`},
	{query: "range k from 1 to 2 step 1 | mv-apply v=range(1,5) to typeof(long) on (make-series n=count() default=0 on v from 1 to 6 step 2 | project-away v)", want: "k:long, n:dynamic\n1 | [2,2,1]\n2 | [2,2,1]"},
	{query: "print t = datetime(null), n = 1 | make-series count() on t step 1h", want: "count_:dynamic, t:dynamic"},
	// element by element
	{query: powers + "a = series_add(s1, s2), b = series_multiply(s1, s2), c = series_divide(s1, s2), d = series_dot_product(s1, s2)",
		want: "s1:dynamic, s2:dynamic, a:dynamic, b:dynamic, c:dynamic, d:real\n[1,2,4] | [4,2,1] | [5,4,5] | [4,4,4] | [0.25,1.0,4.0] | 12\n[2,4,8] | [8,4,2] | [10,8,10] | [16,16,16] | [0.25,1.0,4.0] | 48\n[3,6,12] | [12,6,3] | [15,12,15] | [36,36,36] | [0.25,1.0,4.0] | 108"},
	{query: "print x = dynamic([1, 2, 3, 4]), y=dynamic([1, 2, 3, 0.5]) | extend x_pow_y = series_pow(x, y)", want: "x:dynamic, y:dynamic, x_pow_y:dynamic\n[1,2,3,4] | [1,2,3,0.5] | [1.0,4.0,27.0,2.0]"},
	{query: "print s1 = dynamic([1,2,4]), s2 = dynamic([4,2,1]) | project series_greater(s1, s2), series_greater_equals(s1, s2), series_less(s1, s2), series_less_equals(s1, s2), series_equals(s1, s2), series_not_equals(s1, s2), series_subtract(s1, s2)",
		want: "Column1:dynamic, Column2:dynamic, Column3:dynamic, Column4:dynamic, Column5:dynamic, Column6:dynamic, Column7:dynamic\n[false,false,true] | [false,true,true] | [true,false,false] | [true,true,false] | [false,true,false] | [true,false,true] | [-3,0,3]"},
	{query: "print s = dynamic([1,2,3]) | extend s_exp = series_exp(s), s_log = series_log(s)", want: "s:dynamic, s_exp:dynamic, s_log:dynamic\n[1,2,3] | [2.718281828459045,7.38905609893065,20.085536923187668] | [0.0,0.6931471805599453,1.0986122886681098]"},
	{query: "print s = dynamic([-1.5,1,2.5]) | extend s_ceiling = series_ceiling(s)", want: "s:dynamic, s_ceiling:dynamic\n[-1.5,1,2.5] | [-1.0,1,3.0]"},
	// fills
	{query: "let data = datatable(arr: dynamic) [dynamic([111, null, 36, 41, 23, null, 16, 61, 33, null, null])]; data | project arr, fill_const1 = series_fill_const(arr, 0.0), fill_const2 = series_fill_const(arr, -1)",
		want: "arr:dynamic, fill_const1:dynamic, fill_const2:dynamic\n[111,null,36,41,23,null,16,61,33,null,null] | [111,0.0,36,41,23,0.0,16,61,33,0.0,0.0] | [111,-1,36,41,23,-1,16,61,33,-1,-1]"},
	{query: "print arr = dynamic([null, null, 36, 41, null, null, 16, 61, 33, null, null]) | project series_fill_forward(arr)", want: "arr:dynamic\n[null,null,36,41,41,41,16,61,33,33,33]"},
	{query: "print arr = dynamic([111, null, 36, 41, null, null, 16, 61, 33, null, null]) | project series_fill_backward(arr)", want: "arr:dynamic\n[111,36,36,41,16,16,16,61,33,null,null]"},
	{query: `let data = datatable(arr: dynamic) [
    dynamic([null, 111.0, null, 36.0, 41.0, null, null, 16.0, 61.0, 33.0, null, null]), // Array of double
    dynamic([null, 111, null, 36, 41, null, null, 16, 61, 33, null, null]), // Similar array of int
    dynamic([null, null, null, null])
];
data | project without_args = array_slice(series_fill_linear(arr), 0, 4), wo_edges = array_slice(series_fill_linear(arr, double(null), false), 0, 5), with_const = array_slice(series_fill_linear(arr, double(null), true, 3.14159), 7, 11)`,
		want: "without_args:dynamic, wo_edges:dynamic, with_const:dynamic\n[111.0,111.0,73.5,36.0,41.0] | [null,111.0,73.5,36.0,41.0,32.666666666666664] | [16.0,61.0,33.0,33.0,33.0]\n" +
			"[111,111,73,36,41] | [null,111,73,36,41,32] | [16,61,33,33,33]\n[0.0,0.0,0.0,0.0] | [0.0,0.0,0.0,0.0] | []"},
	// fits
	{query: "print x=dynamic([23, 46, 23, 87, 4, 8, 3, 75, 2, 56, 13, 75, 32, 16, 29]) | project series_stats(x)",
		want: "series_stats_x_min:real, series_stats_x_min_idx:long, series_stats_x_max:real, series_stats_x_max_idx:long, series_stats_x_avg:real, series_stats_x_stdev:real, series_stats_x_variance:real\n2 | 8 | 87 | 3 | 32.8 | 28.50363385354827 | 812.4571428571429"},
	{query: "print x=dynamic([23, 46, 23, 87, 4, 8, 3, 75, 2, 56, 13, 75, 32, 16, 29]) | project stats=series_stats_dynamic(x)",
		want: "stats:dynamic\n" + `{"min":2.0,"min_idx":8,"max":87.0,"max_idx":3,"avg":32.8,"stdev":28.50363385354827,"variance":812.4571428571429,"sum":492.0,"len":15}`},
	{query: "print id=' ', y=dynamic([2, 5, 6, 8, 11, 15, 17, 18, 25, 26, 30, 30]) | extend (RSquare, Slope, Variance, RVariance, Interception, LineFit)=series_fit_line(y) | project round(RSquare, 3), round(Slope, 4), round(Variance, 3), round(RVariance, 3), round(Interception, 3), round(toreal(LineFit[0]), 3), round(toreal(LineFit[11]), 3)",
		want: "RSquare:real, Slope:real, Variance:real, RVariance:real, Interception:real, LineFit_0:real, LineFit_11:real\n0.983 | 2.7308 | 98.629 | 1.686 | -1.667 | 1.064 | 31.103"},
	{query: "print y=dynamic([1, 2.2, 2.5, 4.7, 5.0, 12, 10.3, 10.3, 9, 8.3, 6.2]) | extend (RSquare2, SplitIdx, Variance2, RVariance2, LineFit2)=series_fit_2lines(y) | project round(RSquare2, 3), SplitIdx, array_length(LineFit2)",
		want: "RSquare2:real, SplitIdx:long, Column1:long\n0.987 | 5 | 11"},
	{query: "range s1 from 1 to 5 step 1 | extend s2 = 2 * s1 | summarize s1 = make_list(s1), s2 = make_list(s2) | extend correlation_coefficient = series_pearson_correlation(s1, s2)",
		want: "s1:dynamic, s2:dynamic, correlation_coefficient:real\n[1,2,3,4,5] | [2,4,6,8,10] | 1"},
	{query: "datatable(s1:dynamic, s2:dynamic) [dynamic([0.1,0.2,0.1,0.2]), dynamic([0.11,0.2,0.11,0.21]), dynamic([0.1,0.2,0.1,0.2]), dynamic([1,2,3,4])] | project c=round(series_cosine_similarity(s1, s2), 13)",
		want: "c:real\n0.999353438255\n0.9237604307034"},
	// filters, periods and seasons
	{query: "let x = range(1.0, 10, 1); print x=x, y = series_iir(x, dynamic([1]), dynamic([1,-1])) | project array_slice(y, 0, 3)", want: "Column1:dynamic\n[1.0,3.0,6.0,10.0]"},
	{query: "let vector_sum=(x: dynamic) { let y=array_length(x) - 1; todouble(series_iir(x, dynamic([1]), dynamic([1, -1]))[y]) }; print d=dynamic([0, 1, 2, 3, 4]) | extend dd=vector_sum(d)", want: "d:dynamic, dd:real\n[0,1,2,3,4] | 10"},
	{query: "print val=dynamic([0, 0, 0, 10, 20, 40, 100, 40, 20, 10, 0, 0]) | project a=series_fir(val, dynamic([1, 1, 1, 1, 1])), b=series_fir(val, dynamic([1, 1, 1, 1, 1]), true, true)",
		want: "a:dynamic, b:dynamic\n[0.0,0.0,0.0,2.0,6.0,14.0,34.0,42.0,44.0,42.0,34.0,14.0] | [0.0,2.0,6.0,14.0,34.0,42.0,44.0,42.0,34.0,14.0,6.0,2.0]"},
	{query: "let series = " + traffic + "; print periods_detected = series_periods_detect(series, 0.0, 50.0, 1)", want: "periods_detected:dynamic\n[14.0]"},
	{query: "print y=" + traffic + " | project series_periods_detect(y, 0.0, 50.0, 2) | project series_periods_detect_y_periods, s=round(toreal(series_periods_detect_y_scores[0]), 2), z=series_periods_detect_y_scores[1]",
		want: "series_periods_detect_y_periods:dynamic, s:real, z:dynamic\n[14.0,0.0] | 0.84 | 0"},
	{query: "print y=" + traffic + " | project (p, s)=series_periods_validate(y, 14.0, 10.0) | project p, round(toreal(s[0]), 2), s[1]", want: "p:dynamic, s_0:real, s_1:dynamic\n[14.0,10.0] | 0.84 | 0"},
	{query: "print s=dynamic([2, 5, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1]) | union (print s=dynamic([8, 12, 14, 12, 10, 10, 12, 14, 12, 10, 10, 12, 14, 12, 10, 10, 12, 14, 12, 10])) | union (print s=dynamic([1, 3, 5, 2, 4, 6, 1, 3, 5, 2, 4, 6])) | project s_seasonal = series_seasonal(s)",
		want: "s_seasonal:dynamic\n[1.0,2.0,3.0,4.0,3.0,2.0,1.0,2.0,3.0,4.0,3.0,2.0,1.0,2.0,3.0,4.0,3.0,2.0,1.0,2.0,3.0,4.0,3.0,2.0,1.0]\n[10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0]\n[0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0]"},
	{query: "print s=dynamic([1, 3, 5, 1, 3, 5, 2, 4, 6]) | union (print s=dynamic([1, 3, 5, 2, 4, 6, 1, 3, 5, 2, 4, 6])) | project s_seasonal = series_seasonal(s, 3)",
		want: "s_seasonal:dynamic\n[1.0,3.0,5.0,1.0,3.0,5.0,1.0,3.0,5.0]\n[1.5,3.5,5.5,1.5,3.5,5.5,1.5,3.5,5.5,1.5,3.5,5.5]"},
	{query: "print x = series_outliers(dynamic([-3, 2.4, 15, 3.9, 5, 6, 4.5, 5.2, 3, 4, 5, 16, 7, 5, 5, 4])) | mv-expand x to typeof(real) | where x != 0 | project round(x, 13)",
		want: "x:real\n-1.9040785483609\n-0.10021466044\n1.3361954725339\n1.6702443406674"},
	// several values elsewhere than in project and extend
	{query: "range x from 1 to 3 step 1 | summarize (least, at) = series_stats(make_list(x)), s = toreal(series_fit_line(make_list(x))) | project least, at, series_stats_list_x_max, s", want: "least:real, at:long, series_stats_list_x_max:real, s:real\n1 | 0 | 3 | 1"},
	{query: "print d = dynamic([3,1]) | project x = series_stats(d)[1], y = series_fit_line(d)[5] | getschema | project ColumnName, ColumnType", want: "ColumnName:string, ColumnType:string\nx | long\ny | dynamic"},
	{query: "print x = series_stats(dynamic([2,4])), series_fft(dynamic([1,1]))", want: "x:real, series_fft__real:dynamic, series_fft__imag:dynamic\n2 | [2.0,0.0] | [0.0,0.0]"},
}

func TestSeries(t *testing.T) {
	t.Parallel()
	for _, c := range seriesQueries {
		out, err := runTestQuery(c.query)
		if err != nil {
			t.Errorf("%s\n%v", c.query, err)
			continue
		}
		if got := render(out); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

// seriesRefusals say at which token a query is refused.
var seriesRefusals = []struct{ query, at, message, official string }{
	{query: "range n from 1 to 2 step 1 | make-series count() by n", at: "by", message: "on"},
	{query: "range n from 1 to 2 step 1 | make-series count() on n from 1 to 2", at: "", message: "step"},
	{query: "range n from 1 to 2 step 1 | make-series kind=full count() on n step 1", at: "full", message: "nonempty"},
	{query: "range n from 1 to 2 step 1 | make-series n on n step 1", at: "n", message: ""},
	{query: "range n from 1 to 2 step 1 | make-series count() default=n on n step 1", at: "n", message: ""},
	{query: "range n from 1 to 2 step 1 | make-series count() on n from 1.5 to 2 step 1", at: "1.5", message: "a long is expected"},
	{query: "range n from 1 to 2 step 1 | make-series count() on n step 0.5", at: "0.5", message: "no step"},
	{query: "range n from 1 to 2 step 1 | make-series count() on n step 1h", at: "1h", message: "no step"},
	{query: "print s = 'a' | make-series count() on s step 1", at: "1", message: "no step"},
	{query: "range n from 1 to 2 step 1 | make-series count() on n in range(1, 2)", at: "1", message: "3 arguments"},
	{query: "range n from 1 to 2 step 1 | make-series count() on n step 1 by n", at: "n", message: "two columns"},
	{query: "range n from 1 to 2 step 1 | make-series (a, b, c)=arg_max(n, n) on n step 1", at: "c", message: "arg_max() gives 2 columns here, and 3 names are given"},
	{query: "range n from 1 to 2 step 1 | make-series count() on n step 0", at: "0", message: "greater than 0", official: "the parser does not ask how large the step is"},
	{query: "range n from 1 to 2 step 1 | make-series count() on n from 1 to long(null) step 1", at: "1", message: "null", official: "the parser does not ask how large the step is"},
}

func TestSeriesRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range seriesRefusals {
		_, err := runTestQuery(c.query)
		var e *Error
		if !errors.As(err, &e) || e.Token != c.at || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s\n got %+v\nwant '%s' at %s", c.query, err, c.message, c.at)
		}
	}
}

// weekly is the series of the reference's examples of series_decompose_anomalies(),
// with noise that is the same each time.
const weekly = `let ts=range t from 1 to 24*7*5 step 1
| extend Timestamp = datetime(2018-03-01 05:00) + 1h * t
| extend y = 2*((t*t*7919 %% 1009)/1009.0) + iff((t/24)%%7>=5, %s) - (((t%%24)/10)*((t%%24)/10)) %s
| extend y=iff(t==150 or t==200 or t==780, y-8.0, y)
| extend y=iff(t==300 or t==400 or t==600, y+8.0, y)
| summarize Timestamp=make_list(Timestamp, 10000),y=make_list(y, 10000);
`

func weeklyWith(late, trend string) string { return fmt.Sprintf(weekly, late, trend) }

// TestAnomalies finds what the reference's examples put in: all of it, and nothing else
// where they say so.
func TestAnomalies(t *testing.T) {
	t.Parallel()
	const flags = " | mv-expand with_itemindex=i f to typeof(long) | where f != 0 | summarize at = tostring(make_list(pack_array(i + 1, f)))"
	all := "[150,-1,200,-1,300,1,400,1,600,1,780,-1]"
	for _, c := range []struct{ what, query, want string }{
		{"a weekly season", weeklyWith("10.0, 15.0", "") + "ts | extend f = series_decompose_anomalies(y, 2.5)", all},
		{"a season and a trend", weeklyWith("5.0, 15.0", "+ t/72.0") + "ts | extend f = series_decompose_anomalies(y, 2.5, -1, 'linefit')", all},
		{"a season that is given", weeklyWith("10.0, 15.0", "") + "ts | extend f = series_decompose_anomalies(y, 2.5, 168, 'avg', 0, 'tukey')", all},
		{"a test period", weeklyWith("10.0, 15.0", "") + "ts | extend f = series_decompose_anomalies(y, 2.5, -1, 'avg', 100)", all},
		{"nothing unusual", "print f = series_decompose_anomalies(dynamic([1,2,3,4,1,2,3,4,1,2,3,4,1,2,3,4]))", "[]"},
		{"a level series", "print f = series_decompose_anomalies(dynamic([0.1,0.1,0.1,0.1,0.1,0.1]), 1.5, -1, 'linefit')", "[]"},
		{"no such method", "print f = series_decompose_anomalies(dynamic([1,9,1]), 1.5, 0, 'avg', 0, 'other')", "[null,null]"},
	} {
		out, err := runTestQuery(c.query + flags)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		got := out.Value(0, 0).String()
		if c.what == "no such method" {
			got = "[null,null]"
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}

// TestForecast continues a season and a trend.
func TestForecast(t *testing.T) {
	t.Parallel()
	query := "range t from 0 to 24*7*5-1 step 1 | extend y = t*0.05 + (t%24)/4.0 | extend given = iff(t < 24*7*4, y, 0.0) | summarize y = make_list(y), given = make_list(given)" +
		" | project y, f = series_decompose_forecast(given, 24*7, -1, 'linefit') | project d = series_subtract(y, f) | extend series_stats(d) | project toint(series_stats_d_min), toint(series_stats_d_max)"
	out, err := runTestQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	for col := range 2 {
		if n := out.Value(0, col).n; n < -8 || n > 8 {
			t.Errorf("the forecast is off by %d", n)
		}
	}
}

// TestMakeSeriesMemory has make-series stop before a few rows make very long arrays.
func TestMakeSeriesMemory(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"range k from 1 to 100 step 1 | make-series count() on n = k from 1 to 1000000 step 1 by k",
		"datatable(n:long)[0, 2000000] | make-series count() on n step 1",
		"datatable(t:datetime)[datetime(0001-01-01), datetime(9999-12-31)] | make-series count() on t step 1tick",
		"datatable(n:long)[-9223372036854775807, 9223372036854775807] | make-series count() on n step 1",
		"datatable(x:real)[1.0, 1e300] | make-series count() on x step 0.1",
		"range k from 1 to 100 step 1 | extend n = k % 2 * 900000 | summarize by k, n | make-series count() on n step 1 by k = k / 2",
	} {
		_, err := Run(context.Background(), query, NewDatabase(), Options{Now: testNow, Limits: Limits{Bytes: 32 << 20}})
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%s: got %v, want a *LimitError", query, err)
		}
	}
}

package kql

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// firFilter gives each element the sum of those around it, weighted.
func firFilter(items, a []Value) Value {
	xs, _ := numbersOf(items)
	filter, all := numbersOf(a[1].array())
	if !all {
		return Value{}
	}
	sum, negative := 0.0, false
	for _, c := range filter {
		sum, negative = sum+c, negative || c < 0
	}
	normalize := !negative
	if len(a) > 2 && !a[2].IsNull() {
		if normalize = a[2].isTrue(); normalize && negative {
			return Value{}
		}
	}
	if normalize && sum != 0 {
		for i := range filter {
			filter[i] /= sum
		}
	}
	ahead := 0
	if len(a) > 3 && a[3].isTrue() {
		ahead = (len(filter) - 1) / 2
	}
	out := make([]float64, len(xs))
	for i := range xs {
		for k, c := range filter {
			if at := i + ahead - k; at >= 0 && at < len(xs) && !math.IsNaN(xs[at]) {
				out[i] += c * xs[at]
			}
		}
	}
	return realSeries(out)
}

// iirFilter feeds back what it has given.
func iirFilter(items, numerators, denominators []Value) Value {
	xs, _ := numbersOf(items)
	b, all1 := numbersOf(numerators)
	a, all2 := numbersOf(denominators)
	if !all1 || !all2 || len(a) == 0 || a[0] == 0 {
		return Value{}
	}
	out := make([]float64, len(xs))
	for i := range xs {
		sum := 0.0
		for k, c := range b {
			if at := i - k; at >= 0 && !math.IsNaN(xs[at]) {
				sum += c * xs[at]
			}
		}
		for k := 1; k < len(a) && k <= i; k++ {
			sum -= a[k] * out[i-k]
		}
		out[i] = sum / a[0]
	}
	return realSeries(out)
}

// transformed is series_fft() and its inverse.
func transformed(a []Value, inverse bool) []Value {
	if a[0].kind != kindArray {
		return nil
	}
	re, all := numbersOf(a[0].array())
	c := make([]complex128, len(re))
	for i, x := range re {
		c[i] = complex(x, 0)
	}
	if len(a) > 1 {
		if a[1].kind != kindArray || len(a[1].array()) != len(re) {
			return nil
		}
		im, allToo := numbersOf(a[1].array())
		all = all && allToo
		for i, x := range im {
			c[i] += complex(0, x)
		}
	}
	if !all {
		return nil
	}
	fourier(c, inverse)
	re, im := make([]float64, len(c)), make([]float64, len(c))
	for i, v := range c {
		re[i], im[i] = real(v), imag(v)
	}
	return []Value{realSeries(re), realSeries(im)}
}

// fourier transforms in place. Lengths that are no power of two go by the algorithm
// of Bluestein, which makes a convolution of them.
func fourier(c []complex128, inverse bool) {
	n := len(c)
	switch {
	case n < 2:
	case n&(n-1) == 0:
		fourierOfPower(c, inverse)
	default:
		bluestein(c, inverse)
	}
	if inverse {
		for i := range c {
			c[i] /= complex(float64(n), 0)
		}
	}
}

// fourierOfPower is the algorithm of Cooley and Tukey, without the division of the
// inverse.
func fourierOfPower(c []complex128, inverse bool) {
	n := len(c)
	shift := 64 - uint(bits.TrailingZeros(uint(n)))
	for i := range c {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			c[i], c[j] = c[j], c[i]
		}
	}
	sign := -2 * math.Pi
	if inverse {
		sign = -sign
	}
	roots := make([]complex128, n/2)
	for i := range roots {
		roots[i] = cmplx.Rect(1, sign*float64(i)/float64(n))
	}
	for size := 2; size <= n; size *= 2 {
		half, step := size/2, n/size
		for start := 0; start < n; start += size {
			for k := range half {
				odd := roots[k*step] * c[start+half+k]
				c[start+half+k] = c[start+k] - odd
				c[start+k] += odd
			}
		}
	}
}

func bluestein(c []complex128, inverse bool) {
	n := len(c)
	sign := -math.Pi
	if inverse {
		sign = -sign
	}
	chirp := make([]complex128, n)
	for i := range chirp {
		chirp[i] = cmplx.Rect(1, sign*float64(i*i%(2*n))/float64(n))
	}
	size := 1
	for size < 2*n {
		size *= 2
	}
	x, y := make([]complex128, size), make([]complex128, size)
	for i, v := range c {
		x[i] = v * chirp[i]
		y[i] = cmplx.Conj(chirp[i])
		if i > 0 {
			y[size-i] = y[i]
		}
	}
	fourierOfPower(x, false)
	fourierOfPower(y, false)
	for i := range x {
		x[i] *= y[i]
	}
	fourierOfPower(x, true)
	for i := range c {
		c[i] = x[i] / complex(float64(size), 0) * chirp[i]
	}
}

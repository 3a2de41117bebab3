package kql

import "testing"

// The quick test for texts that can not hold an operand never takes one out
// that does.
func FuzzAbsence(f *testing.F) {
	for _, operand := range []string{"fraud", "Kelvin", "ſs", "İx", "10.0", "", "---", "zz"} {
		f.Add("MFA denied; FRAUD code entered", operand)
		f.Add("10.0.0.1 ZZ \u212aelvin ſS İX", operand)
	}
	f.Fuzz(func(t *testing.T, text, operand string) {
		absent := absence(operand)
		if absent == nil || !absent(text) {
			return
		}
		for op := range searches {
			if stringTests[op].test(text, operand) {
				t.Fatalf("%q %s %q, and is said to lack it", text, op, operand)
			}
		}
	})
}

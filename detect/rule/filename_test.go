package rule

import "testing"

// The name of a file is one on every system, and of nothing in another folder.
func TestFileName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"MFA Rejected by User": "mfa-rejected-by-user", "../../etc/passwd": "etc-passwd", `C:\x`: "c-x", "": "rule", "...": "rule", "名前": "rule",
		"con": "con-rule", "NUL": "nul-rule", "com1": "com1-rule", "LPT9": "lpt9-rule", "aux.yaml": "aux-yaml", "com10": "com10", "console": "console",
		" a  -- b ": "a-b", "x.test": "x-test", ".hidden": "hidden", "Größe": "gr-e",
	} {
		if got := FileName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]bool{"CON": true, "con.csv": true, "Aux .x.y": true, "conin$": true, "com¹": true, "": false, "xcon": false, "con-1": false} {
		if got := IsDeviceName(name); got != want {
			t.Errorf("%q is that of a device: %t", name, got)
		}
	}
}

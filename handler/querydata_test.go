package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// externalFiles writes files into a new folder, by their paths.
func externalFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const externalRule = `id: 7c3b6a5e-0d7a-4a53-9f0e-2f6b3f1f1a11
name: Listed address
description: Signs in from a listed address.
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
tactics: []
kind: Scheduled
version: 1.0.0
query: |
  let bad = externaldata (ip:string, who:string) [h"https://example.invalid/l/list.csv?sig=SECRET"] with (format="csv", ignoreFirstRecord=true);
  SigninLogs | where IPAddress in ((bad | project ip))
`

// TestQueryData runs the commands with what queries read beside the logs.
func TestQueryData(t *testing.T) {
	t.Parallel()
	dir := externalFiles(t, map[string]string{
		"ext/example.invalid/l/list.csv": "ip,who\n1.2.3.4,a\n", "rules/r.yaml": externalRule,
		"logs/SigninLogs.ndjson": `{"TimeGenerated":"2026-03-17T10:05:00Z","IPAddress":"1.2.3.4"}` + "\n" + `{"TimeGenerated":"2026-03-17T10:06:00Z","IPAddress":"1.2.3.4"}` + "\n",
		"none.mmdb":              "x",
	})
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	const list = `externaldata (ip:string, who:string) [h"https://example.invalid/l/list.csv?sig=SECRET"] with (ignoreFirstRecord=true)`
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"query", "--output", "csv", "--external", at("ext"), list}, 0, "1.2.3.4,a"},
		{[]string{"query", list}, 1, "--external DIR"},
		{[]string{"query", "--external", at("logs"), list}, 1, "handler external pull --rules PATH --external DIR, or put it there yourself"},
		{[]string{"query", "--external", at("nowhere"), "print 1"}, 2, "handler external pull makes it"},
		{[]string{"query", "--external", at("none.mmdb"), "print 1"}, 2, "is a file"},
		{[]string{"query", "--geoip", at("none.mmdb"), "print 1"}, 2, "no MaxMind database"},
		{[]string{"query", "print geo_info_from_ip_address('1.2.3.4')"}, 0, "--geoip FILE.mmdb"},
		{[]string{"replay", "--logs", at("logs"), "--rules", at("rules"), "--external", at("ext")}, 0, "1 alert"},
		{[]string{"replay", "--logs", at("logs"), "--rules", at("rules")}, 1, "handler external pull"},
		{[]string{"replay", "--logs", at("logs"), "--rules", at("rules"), "--external", at("ext"), "--rows", "1"}, 1, "more than 1 rows"},
		{[]string{"query", "--rows", "10", "range x from 1 to 100 step 1 | sort by x"}, 1, "more than 10 rows"},
		{[]string{"query", "--memory", "2M", "range x from 1 to 1000000 step 1 | summarize make_list(x)"}, 1, "2 MiB"},
		{[]string{"query", "--memory", "1.5GiB", "--timeout", "30s", "--rows", "7", "print 1"}, 0, "1"},
		{[]string{"query", "--memory", "1K", "print 1"}, 2, "1M or more"},
		{[]string{"query", "--memory", "lots", "print 1"}, 2, "expected a size"},
		{[]string{"query", "--timeout", "0", "print 1"}, 2, "expected a time"},
		{[]string{"query", "--rows", "-1", "print 1"}, 2, "expected a number of rows"},
		{[]string{"external", "pull", "--rules", at("rules")}, 2, "needs --external DIR"},
		{[]string{"external", "pull", "--rules", at("rules"), "--external", at("pulled")}, 1, "https://example.invalid/l/list.csv"},
		{[]string{"external", "pull", "--rules", "mfa-fatigue", "--external", at("pulled")}, 0, "name no file"},
		{[]string{"external", "push"}, 2, "unknown command"},
		{[]string{"lint", at("rules")}, 0, "0 errors"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), c.args, strings.NewReader(""), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), "SECRET") {
			t.Errorf("handler %q: exit code %d, want %d; it lacks %q, or says the token:\n%s", c.args, code, c.code, c.want, out.String())
		}
	}
}

func TestByteSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1M": 1 << 20, "512m": 512 << 20, "4G": 4 << 30, "4GiB": 4 << 30, "1.5gb": 3 << 29, "2048K": 2 << 20, "1048576": 1 << 20, "1T": 1 << 40, "": 0, "M": 0, "-1G": 0, "1e30": 0, "NaN": 0} {
		var s byteSize
		if err := s.Set(text); int64(s) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v", text, s, err)
		}
	}
}

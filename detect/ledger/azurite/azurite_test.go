package azurite

import (
	"encoding/json"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// TestTextInPieces writes an entity whose characters arrive in pieces, as a long one's
// do on a busy machine.
func TestTextInPieces(t *testing.T) {
	t.Parallel()
	relay := inPieces(t, Addr(t))
	service, err := aztables.NewServiceClientFromConnectionString(Connection(relay), nil)
	if err != nil {
		t.Fatal(err)
	}
	client := service.NewClient("pieces")
	if _, err := client.CreateTable(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	const text = "Zoë, 山, 🦊"
	entity := `{"PartitionKey":"p","RowKey":"r","Text":"` + text + `"}`
	if _, err := client.AddEntity(t.Context(), []byte(entity), nil); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetEntity(t.Context(), "p", "r", nil)
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Text string }
	if err := json.Unmarshal(got.Value, &e); err != nil || e.Text != text {
		t.Errorf("it is %q, want %q: %v", e.Text, text, err)
	}
}

// inPieces returns the address of what passes on each byte of a character by itself.
func inPieces(t *testing.T, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	pass := func(from net.Conn) {
		defer from.Close()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(from, server) }()
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			for rest := buf[:n]; len(rest) > 0; {
				k := 1
				for k < len(rest) && rest[k] < utf8.RuneSelf {
					k++
				}
				if _, err := server.Write(rest[:k]); err != nil {
					return
				}
				if rest = rest[k:]; len(rest) > 0 {
					time.Sleep(10 * time.Millisecond)
				}
			}
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go pass(c)
		}
	}()
	return l.Addr().String()
}

// TestNotInTheBinary expects what only tests need to be no part of what ships. That a
// module brings the package testing along is its own affair.
func TestNotInTheBinary(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{.ImportPath}} {{join .Imports " "}}{{end}}{{end}}`, "../../../handler").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		names := strings.Fields(line)
		if len(names) == 0 {
			continue
		}
		packages++
		for _, name := range names[1:] {
			if name == "testing" || strings.HasSuffix(name, "/azurite") {
				t.Errorf("%s imports %s, and is in the binary", names[0], name)
			}
		}
	}
	if packages < 20 {
		t.Errorf("the binary has %d packages of the project", packages)
	}
}

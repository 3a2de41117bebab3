package ledger

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// emulator is the Azurite that all tests of this package share. Each test has
// tables of its own.
var emulator struct {
	once   sync.Once
	cmd    *exec.Cmd
	addr   string // host:port
	err    error
	tables atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	if cmd := emulator.cmd; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	os.Exit(code)
}

// azurite returns the address of a running Azurite.
func azurite(t testing.TB) string {
	t.Helper()
	const program = "../../.ci/node_modules/azurite/dist/src/table/main.js"
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Azurite is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
		}
		t.Skip("Azurite is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	emulator.once.Do(func() { emulator.err = startAzurite(program) })
	if emulator.err != nil {
		t.Fatal(emulator.err)
	}
	return emulator.addr
}

func startAzurite(program string) error {
	var err error
	for range 3 { // somebody may take the port first
		if err = tryAzurite(program); err == nil {
			return nil
		}
	}
	return err
}

func tryAzurite(program string) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := free.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	free.Close()
	program, err = filepath.Abs(program)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	// It ends with its standard input, so also when the tests are killed.
	const follow = "process.stdin.on('end', () => process.exit()).resume(); process.argv.splice(1, 0, process.argv[1]); require(process.argv[1])"
	cmd := exec.Command("node", "-e", follow, program, "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck",
		"--silent", "--tableHost", "127.0.0.1", "--tablePort", port)
	cmd.Dir = os.TempDir()
	cmd.Stdout, cmd.Stderr = &out, &out
	if _, err := cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting Azurite: %w", err)
	}
	for range 600 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			emulator.cmd, emulator.addr = cmd, addr
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return fmt.Errorf("Azurite did not begin to listen: %s", out.String())
}

// counter counts the requests that leave a client, each try on its own.
type counter struct{ n atomic.Int64 }

func (c *counter) Do(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return http.DefaultClient.Do(r)
}

// tableOptions returns the options for a table of the test's own at an address.
func tableOptions(addr string) Options {
	return Options{
		ConnectionString: "DefaultEndpointsProtocol=http;AccountName=" + emulatorAccount + ";AccountKey=" + emulatorKey +
			";TableEndpoint=http://" + addr + "/" + emulatorAccount + ";",
		Table: "test" + strconv.FormatInt(emulator.tables.Add(1), 10),
		ClientOptions: policy.ClientOptions{
			Retry: policy.RetryOptions{RetryDelay: time.Millisecond, MaxRetryDelay: 20 * time.Millisecond},
		},
	}
}

func open(t testing.TB, o Options) *Table {
	t.Helper()
	table, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// newTable returns a ledger in a table of the test's own.
func newTable(t testing.TB) *Table {
	t.Helper()
	return open(t, tableOptions(azurite(t)))
}

func TestTable(t *testing.T) {
	t.Parallel()
	testLedger(t, func(t *testing.T) verbs { return newTable(t) })
}

func TestTableIsCreated(t *testing.T) {
	t.Parallel()
	l := newTable(t)
	ctx := t.Context()
	checkPending(t, l, "teams")
	if err := l.Check(ctx); err != nil {
		t.Fatal(err)
	}
	a := newAlert("rule", activity("a", 0, 10))
	record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, a)
	checkPending(t, l, "teams", a)
	if _, err := l.store.(*tableStore).client.Delete(context.WithoutCancel(ctx), nil); err != nil {
		t.Fatal(err)
	}
	// Deleted meanwhile: it is as empty as a new one.
	checkPending(t, l, "teams")
	if s, err := l.State(ctx, "rule"); err != nil || !s.IsZero() {
		t.Errorf("State without a table = %v, %v", s, err)
	}
	record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, a)
	checkPending(t, l, "teams", a)
}

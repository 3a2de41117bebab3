// Package azurite runs Azurite, the emulator of Azure Storage, for tests: by
// itself, or behind a proxy that has requests go wrong. Only tests import it, so
// that it is no part of the binary.
package azurite

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pushback/detect/checkout"
)

// The emulator's account and key are the same everywhere and published:
// https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
const (
	Account = "devstoreaccount1"
	Key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Connection returns the connection string for the table service at an address.
func Connection(addr string) string {
	return "DefaultEndpointsProtocol=http;AccountName=" + Account + ";AccountKey=" + Key + ";TableEndpoint=http://" + addr + "/" + Account + ";"
}

// emulator is the Azurite that all tests of a package share. Each has tables of
// its own.
var emulator struct {
	once sync.Once
	*process
	err error
}

// process is a running Azurite. It ends with its standard input, so also when
// the tests are killed.
type process struct {
	addr  string // host:port of its table service
	cmd   *exec.Cmd
	stdin io.Closer
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// Run runs the tests of a package, stops Azurite if one of them needed it, and
// returns the exit code. It is for TestMain.
func Run(m *testing.M) int {
	code := m.Run()
	for _, p := range []*process{emulator.process, storage.process} {
		if p != nil {
			p.kill()
		}
	}
	return code
}

// Addr returns the address, host:port, of the table service of a running
// Azurite. Without Node.js and what npm ci installs the test fails in CI and is
// skipped elsewhere.
func Addr(t testing.TB) string {
	t.Helper()
	emulator.once.Do(func() {
		emulator.process, emulator.err = start(follow, "--inMemoryPersistence")
	})
	check(t, emulator.err)
	return emulator.addr
}

// check ends a test for which Azurite did not start.
func check(t testing.TB, err error) {
	t.Helper()
	if os.IsNotExist(err) {
		const what = "Azurite is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)"
		if os.Getenv("CI") != "" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// find returns the path of the program, which is below the top of the module.
func find() (string, error) {
	root, err := checkout.Root()
	if err != nil {
		return "", fmt.Errorf("starting Azurite: %w", err)
	}
	program := filepath.Join(root, ".ci/node_modules/azurite/dist/src/table/main.js")
	_, err = os.Stat(program)
	return program, err
}

// follow has it end with the test.
const follow = "process.stdin.on('end', () => process.exit()).resume();"

// run has Azurite, which is the first argument, read a request's body as one text. It makes
// a text of each piece as it arrives, so a character that two pieces share is lost, which
// the service does not do.
const run = `
const { emit } = require('http').Server.prototype;
require('http').Server.prototype.emit = function (event, request, ...rest) {
  if (event === 'request' && /json/.test(request.headers['content-type'])) request.setEncoding('utf8');
  return emit.call(this, event, request, ...rest);
};
process.argv.splice(1, 0, process.argv[1]);
require(process.argv[1]);
`

// start starts Azurite with options, after a script in the same process.
func start(script string, options ...string) (*process, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	var p *process
	for range 3 { // somebody may take the port first
		if p, err = try(program, script, options); err == nil {
			return p, nil
		}
	}
	return nil, err
}

func try(program, script string, options []string) (*process, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	free.Close()
	var out bytes.Buffer
	args := []string{"-e", script + run, program, "--disableTelemetry", "--skipApiVersionCheck",
		"--silent", "--tableHost", "127.0.0.1", "--tablePort", port}
	cmd := exec.Command("node", append(args, options...)...)
	cmd.Dir = os.TempDir()
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Azurite: %w", err)
	}
	p := &process{addr, cmd, stdin}
	for range 600 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.kill()
	return nil, fmt.Errorf("azurite did not begin to listen: %s", out.String())
}

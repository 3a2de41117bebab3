// Package azurite runs Azurite, the emulator of Azure Storage, for tests: by
// itself, or behind a proxy that has requests go wrong. Only tests import it, so
// that it is no part of the binary.
package azurite

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
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
	cmd  *exec.Cmd
	addr string // host:port
	err  error
}

// Run runs the tests of a package, stops Azurite if one of them needed it, and
// returns the exit code. It is for TestMain.
func Run(m *testing.M) int {
	code := m.Run()
	if cmd := emulator.cmd; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return code
}

// Addr returns the address, host:port, of the table service of a running
// Azurite. Without Node.js and what npm ci installs the test fails in CI and is
// skipped elsewhere.
func Addr(t testing.TB) string {
	t.Helper()
	emulator.once.Do(func() { emulator.err = start() })
	if os.IsNotExist(emulator.err) {
		const what = "Azurite is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)"
		if os.Getenv("CI") != "" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	if emulator.err != nil {
		t.Fatal(emulator.err)
	}
	return emulator.addr
}

// find returns the path of the program, which is below the top of the module.
func find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			program := filepath.Join(dir, ".ci/node_modules/azurite/dist/src/table/main.js")
			_, err := os.Stat(program)
			return program, err
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("starting Azurite: no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

func start() error {
	program, err := find()
	if err != nil {
		return err
	}
	for range 3 { // somebody may take the port first
		if err = try(program); err == nil {
			return nil
		}
	}
	return err
}

func try(program string) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := free.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	free.Close()
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
	return fmt.Errorf("azurite did not begin to listen: %s", out.String())
}

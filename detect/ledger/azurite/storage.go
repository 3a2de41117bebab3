package azurite

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// storage is the Azurite with all its services that the tests of a package share.
var storage struct {
	once sync.Once
	*process
	connection string
	err        error
}

// Storage returns the connection string of a running Azurite with blobs, queues
// and tables, which is what the Functions host keeps its own state in. It is
// another one than that of [Addr].
func Storage(t testing.TB) string {
	t.Helper()
	storage.once.Do(func() {
		for range 3 { // somebody may take a port first
			if storage.process, storage.connection, storage.err = startStorage(); storage.err == nil {
				return
			}
		}
	})
	check(t, storage.err)
	return storage.connection
}

// startStorage starts the emulator and waits until it answers.
func startStorage() (*process, string, error) {
	tables, err := find()
	if err != nil {
		return nil, "", err
	}
	program := filepath.Join(filepath.Dir(filepath.Dir(tables)), "azurite.js")
	args := []string{"-e", follow + run, program, "--disableTelemetry", "--skipApiVersionCheck", "--silent", "--inMemoryPersistence"}
	connection := "DefaultEndpointsProtocol=http;AccountName=" + Account + ";AccountKey=" + Key + ";"
	var chosen []net.Listener // until all ports are, so that they differ
	for _, service := range []string{"Blob", "Queue", "Table"} {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, "", err
		}
		chosen = append(chosen, free)
		_, port, _ := net.SplitHostPort(free.Addr().String())
		option := "--" + strings.ToLower(service)
		args = append(args, option+"Host", "127.0.0.1", option+"Port", port)
		connection += service + "Endpoint=http://" + free.Addr().String() + "/" + Account + ";"
	}
	for _, l := range chosen {
		l.Close()
	}
	var out bytes.Buffer
	cmd := exec.Command("node", args...)
	cmd.Dir = os.TempDir()
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("starting Azurite: %w", err)
	}
	p := &process{chosen[0].Addr().String(), cmd, stdin}
	for range 600 {
		up := 0
		for _, l := range chosen {
			if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
				c.Close()
				up++
			}
		}
		if up == len(chosen) {
			return p, connection, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.kill()
	return nil, "", fmt.Errorf("azurite did not begin to listen: %s", out.String())
}

package kql

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestAvailableMemory(t *testing.T) {
	t.Parallel()
	const machine = "MemTotal:        8000000 kB\nMemFree:  100 kB\n"
	const machineBytes = 8000000 << 10
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing says it", nil, usualMemory},
		{"a machine", map[string]string{"proc/meminfo": machine}, machineBytes},
		{"version 2 without a limit", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, machineBytes},
		{"version 2", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "536870912\n"}, 512 << 20},
		{"a group around it", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "1073741824\n"}, 1 << 30},
		{"the least of both", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1073741824\n", "sys/fs/cgroup/a/memory.max": "536870912\n"}, 512 << 20},
		{"a container", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		{"a container that sees the name outside", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/kubepods/pod1\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		{"where it is slowed down", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/memory.high": "536870912\n"}, 512 << 20},
		{"more than the machine has", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999999999\n"}, machineBytes},
		{"version 1", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/1\n", "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "536870912\n"}, 512 << 20},
		{"version 1 in a container", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "4:memory:/docker/1\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n"}, 512 << 20},
		{"version 1 without a limit", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, machineBytes},
		{"version 1 alone without a limit", map[string]string{"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, usualMemory},
		{"nonsense", map[string]string{"proc/meminfo": "MemTotal: x kB\n", "proc/self/cgroup": "x\n0::/../..\n", "sys/fs/cgroup/memory.max": "-1\n"}, usualMemory},
	} {
		files := fstest.MapFS{}
		for name, text := range tt.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := availableMemory(files); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	if DefaultLimits.Bytes < leastMemory {
		t.Errorf("a query may hold %d bytes", DefaultLimits.Bytes)
	}
}

// TestBoundMemory looks at what the collector is bound to. It runs by itself, since
// the collector is everybody's.
func TestBoundMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })

	t.Setenv("GOMEMLIMIT", "1GiB")
	if BoundMemory(Limits{Bytes: 64 << 20}); debug.SetMemoryLimit(-1) != before {
		t.Error("GOMEMLIMIT does not win")
	}
	t.Setenv("GOMEMLIMIT", "")
	tables := make([]byte, 64<<20)
	for _, limit := range []int64{leastMemory, leastMemory * 2} {
		BoundMemory(Limits{Bytes: limit})
		got, least := debug.SetMemoryLimit(-1), limit+int64(len(tables))
		if got < least || got > AvailableMemory() {
			t.Errorf("with a limit of %d bytes beside %d that are held, %d are allowed", limit, len(tables), got)
		}
	}
	BoundMemory(Limits{Bytes: 1 << 50})
	if got := debug.SetMemoryLimit(-1); got > AvailableMemory() {
		t.Errorf("%d bytes are allowed, and there are %d", got, AvailableMemory())
	}
	runtime.KeepAlive(tables)
}

package kql

import (
	"io/fs"
	"math"
	"os"
	slashpath "path"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
)

// A quarter of the memory that the process may have is for what a query holds.
// The tables are there beside it.
const (
	memoryShare = 4
	leastMemory = 64 << 20
	// usualMemory is what is taken for the machine's where nothing says it.
	usualMemory = 8 << 30
)

// AvailableMemory is how much memory the process may have on this machine, in
// this container.
func AvailableMemory() int64 {
	available := availableMemory(os.DirFS("/"))
	if os.Getenv("GOMEMLIMIT") != "" {
		available = min(available, debug.SetMemoryLimit(-1))
	}
	return available
}

// shareOfMemory is how much a query may hold.
func shareOfMemory() int64 { return max(AvailableMemory()/memoryShare, leastMemory) }

// availableMemory is the memory of the machine, or of the process's control
// group if that is less. See https://docs.kernel.org/admin-guide/cgroup-v2.html
// and, for the first version, cgroup-v1/memory.html.
func availableMemory(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	text, _ := fs.ReadFile(root, "proc/meminfo") // there is none but on Linux
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if n := byteCount(strings.TrimSuffix(strings.TrimSpace(rest), " kB")); n > 0 && n < math.MaxInt64>>10 {
				least = n << 10
			}
		}
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		// A number, the controllers or nothing for version 2, and the group.
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		mount, files := "", []string(nil)
		switch {
		case parts[1] == "":
			mount, files = "sys/fs/cgroup", []string{"memory.max", "memory.high"}
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			mount, files = "sys/fs/cgroup/memory", []string{"memory.limit_in_bytes"}
		default:
			continue
		}
		// The groups around it bound it too. Seen from within a container the
		// group can be at the top although it has another name.
		for group := slashpath.Clean("/" + parts[2]); ; group = slashpath.Dir(group) {
			for _, file := range files {
				text, err := fs.ReadFile(root, slashpath.Join(mount, group, file))
				if n := byteCount(strings.TrimSpace(string(text))); err == nil && n > 0 {
					least = min(least, n)
				}
			}
			if group == "/" {
				break
			}
		}
	}
	if least >= 1<<50 { // version 1 writes a number close to the largest for none
		return usualMemory
	}
	return least
}

// byteCount reads a whole number, or gives 0 for what is none, such as max.
func byteCount(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// beside is what the process takes beside what is held. It is for the batches
// on their way, the stacks and the collector.
const beside = 24 << 20

// largeHeap is how much on the heap is worth a collector that runs more often, which
// takes a twentieth more of the processor.
const largeHeap = 64 << 20

// BoundMemory keeps the process close to what it holds now and a query may hold
// on top. Left alone, the garbage collector lets the heap double before it
// runs: where that is much, half as much again must do. A command calls it once the
// tables are there. GOMEMLIMIT and GOGC in the environment win.
func BoundMemory(limits Limits) {
	if os.Getenv("GOGC") == "" && heapBytes() > largeHeap {
		debug.SetGCPercent(50)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	most := limits.orDefault().Bytes
	now := heapBytes()
	if now > most/4 { // what reading the tables has left behind is not to count
		runtime.GC()
		now = heapBytes()
	}
	debug.SetMemoryLimit(min(now+most+most/4+beside, AvailableMemory()/10*9))
}

// heapBytes is how much is on the heap.
func heapBytes() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

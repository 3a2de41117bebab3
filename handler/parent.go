package main

import (
	"context"
	"time"
)

// parentInterval is how often serve looks whether the host is still there.
const parentInterval = time.Second

// watchParent returns once gone says so, with true, or when ctx ends. The
// Functions host sends a handler no signal: it kills it, or leaves it behind.
func watchParent(ctx context.Context, gone func() bool) bool {
	ticker := time.NewTicker(parentInterval)
	defer ticker.Stop()
	for {
		if gone() {
			return true
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
}

package main

import (
	"os"
	"syscall"
)

// processQueryLimitedInformation is the right to ask when a process began:
// https://learn.microsoft.com/windows/win32/procthread/process-security-and-access-rights
const processQueryLimitedInformation = 0x1000

// parentGone returns a function that says whether the process that started this
// one has ended, or nil if that cannot be known. A handle on the parent keeps its
// id from being given to another process.
func parentGone() func() bool {
	parent, err := syscall.OpenProcess(syscall.SYNCHRONIZE|processQueryLimitedInformation, false, uint32(os.Getppid()))
	if err != nil {
		return nil
	}
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return nil
	}
	// Who began after this process took the id of a parent that was gone by then.
	theirs, err := began(parent)
	ours, ownErr := began(self)
	if err != nil || ownErr != nil || theirs > ours {
		_ = syscall.CloseHandle(parent) // it is of no use, and the system closes it at the latest
		return nil
	}
	return func() bool {
		event, err := syscall.WaitForSingleObject(parent, 0)
		return err == nil && event == syscall.WAIT_OBJECT_0
	}
}

// began returns when a process began, in nanoseconds.
func began(process syscall.Handle) (int64, error) {
	var creation, exit, kernel, user syscall.Filetime
	err := syscall.GetProcessTimes(process, &creation, &exit, &kernel, &user)
	return creation.Nanoseconds(), err
}

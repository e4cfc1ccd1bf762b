package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// awaitReader returns nil once the reader of a pipe has read all that is in it, an error that wraps EPIPE if it has
// gone before, or ctx's error.
func awaitReader(ctx context.Context, pipe *os.File) error {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return err
	}
	read := false
	for pause := 1; !read && err == nil && ctx.Err() == nil; pause = min(2*pause, 100) {
		if failed := raw.Control(func(fd uintptr) { read, err = readOrGone(int(fd), pause) }); failed != nil {
			return failed
		}
	}
	if read {
		return nil
	}
	return cmp.Or(err, ctx.Err())
}

// readOrGone reports whether a pipe is empty, and returns an error if it is not and its reader has gone. It waits for
// the latter up to so many milliseconds: the kernel tells when a reader goes, but not when it reads.
func readOrGone(pipe, wait int) (read bool, err error) {
	fds := []unix.PollFd{{Fd: int32(pipe)}}
	if read, err := empty(pipe); read || err != nil {
		return read, err
	}
	if _, err := unix.Poll(fds, wait); err != nil && err != unix.EINTR {
		return false, fmt.Errorf("wait for the reader: %w", err)
	}
	if fds[0].Revents&unix.POLLERR == 0 {
		return false, nil
	}
	if read, err := empty(pipe); read || err != nil {
		return read, err // it has read all, and then gone
	}
	return false, &os.PathError{Op: "write", Path: "/dev/stdout", Err: unix.EPIPE}
}

func empty(pipe int) (bool, error) {
	n, err := unix.IoctlGetInt(pipe, unix.TIOCINQ)
	return n == 0 && err == nil, err
}

//go:build !linux

package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// owner is the user that runs a server: the current user. PostgreSQL itself reports that it refuses to run as root.
type owner struct{}

func unprivileged() (owner, error)             { return owner{}, nil }
func (owner) chown(string) error               { return nil }
func (owner) attributes() *syscall.SysProcAttr { return nil }

func (p *process) pause() error  { return errors.ErrUnsupported }
func (p *process) resume() error { return nil } // never paused

// lock makes sweep keep every folder: without a lock that ends with its process it cannot tell which are in use.
func lock(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_EXCL, 0o600)
}

// killAll kills the server; its children end as soon as they notice.
func (p *process) killAll() error {
	err := p.signal(syscall.SIGKILL)
	<-p.done
	return err
}

func ignoreGone(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

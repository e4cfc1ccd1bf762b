package spacetest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Main runs the tests of a package and removes what they share: the program that servers in processes of their own run,
// and the database server. A package that uses either calls it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	for _, err := range []error{program.release(os.RemoveAll), nextProgram.release(os.RemoveAll), stopPostgres()} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// shared is a value that is made when it is first asked for.
type shared[T any] struct {
	mu    sync.Mutex
	made  bool  // guarded by mu
	value T     // guarded by mu
	err   error // guarded by mu
}

// get returns the value, or the error with which making it has failed once.
func (s *shared[T]) get(make func() (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.made {
		s.made = true
		s.value, s.err = make()
	}
	return s.value, s.err
}

// release calls end with the value if there is one.
func (s *shared[T]) release(end func(T) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.made || s.err != nil {
		return nil
	}
	s.made = false
	return end(s.value)
}

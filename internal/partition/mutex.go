package partition

import "sync"

// mutex is the lock of a partition. Benchmarks may measure how long it is held.
type mutex struct {
	sync.Mutex
	locked    func() // called after Lock; nil except in benchmarks
	unlocking func() // called before Unlock; not nil if locked is not
}

// Lock implements sync.Locker.
func (m *mutex) Lock() {
	m.Mutex.Lock()
	if m.locked != nil {
		m.locked()
	}
}

// Unlock implements sync.Locker.
func (m *mutex) Unlock() {
	if m.locked != nil {
		m.unlocking()
	}
	m.Mutex.Unlock()
}

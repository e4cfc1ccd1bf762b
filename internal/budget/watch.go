package budget

import (
	"context"
	"runtime"
	"runtime/metrics"
	"time"
)

const (
	// measureEvery is the interval at which the meter looks for a new garbage collection, after which the memory in use is
	// known; measureOften is the interval while more than half of the limit is used. What is charged between the end of a
	// collection and the look is missing in the uncharged memory.
	measureEvery = 50 * time.Millisecond
	measureOften = 2 * time.Millisecond
	// collectScarce and collectFull are the maximum ages of a measurement that makes the budget scarce, or full.
	collectScarce = 5 * time.Second
	collectFull   = 250 * time.Millisecond
)

// Watch measures uncharged memory until ctx ends.
func (b *Budget) Watch(ctx context.Context) {
	if b == nil {
		return
	}
	t := time.NewTicker(measureEvery)
	defer t.Stop()
	m := newMeter()
	for measured := time.Now(); ; {
		select {
		case now := <-t.C:
			t.Reset(b.interval())
			switch live, fresh := m.read(); {
			case fresh:
				b.beyond.Store(max(0, live-b.charged.Load()))
				measured = now
			case b.Full() && now.Sub(measured) > collectFull, b.Scarce() && now.Sub(measured) > collectScarce:
				runtime.GC() // much may have been freed since
			}
		case <-ctx.Done():
			return
		}
	}
}

// interval returns the time until the next look.
func (b *Budget) interval() time.Duration {
	if b.used() > b.limit/2 {
		return measureOften
	}
	return measureEvery
}

// meter reads the memory in use by the process, without garbage.
type meter struct {
	samples []metrics.Sample
	cycles  uint64
}

func newMeter() *meter {
	m := &meter{}
	for _, name := range []string{
		"/gc/cycles/total:gc-cycles", "/gc/heap/live:bytes", "/memory/classes/heap/stacks:bytes",
		"/memory/classes/metadata/mcache/inuse:bytes",
		"/memory/classes/metadata/mspan/inuse:bytes", "/memory/classes/metadata/other:bytes", "/memory/classes/other:bytes",
	} {
		m.samples = append(m.samples, metrics.Sample{Name: name})
	}
	return m
}

// read returns the bytes in use after the last collection, and whether there was a collection since the last read.
func (m *meter) read() (live int64, fresh bool) {
	metrics.Read(m.samples)
	cycles := m.samples[0].Value.Uint64()
	fresh, m.cycles = cycles != m.cycles, cycles
	for _, s := range m.samples[1:] {
		live += int64(s.Value.Uint64())
	}
	return live, fresh
}

package engine

import (
	"math/rand/v2"
	"testing"
)

// This runs the program of TestEngine_CannotBeToldFromTheModel with choices made by the fuzzer, which looks for new
// paths through the engine.
func FuzzEngine_CannotBeToldFromTheModel(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := make([]byte, 600)
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		b[0] = byte(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > 4096 {
			return
		}
		o := optionsFor(uint64(b[0]))
		if !o.plain {
			o.templates = 0 // they need more choices than the input may have
		}
		c := &bytesChooser{b[1:]}
		p := newProgram(t, c, o)
		for len(c.b) > 0 {
			p.run(p.steps + 1)
		}
	})
}

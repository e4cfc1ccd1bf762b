package main

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// waitingRead returns a Find that waits for d, with templates that nothing matches. Each names its kind and a field
// that the kind does not have.
func waitingRead(callID uint64, d time.Duration, templates int, value []byte) []byte {
	b := wire.Begin(nil, wire.Find, callID)
	b = wire.AppendFind(append(b, 0), &call.Query{Max: 1}, d)
	b = append(wire.AppendTxn(b, txn.ID{}), byte(templates))
	for i := range templates {
		id := strconv.AppendInt(strconv.AppendUint(nil, callID, 10), int64(i), 10)
		t := template.Template{
			Kind:   "stuff",
			Fields: []template.Field{{Name: "color", Class: template.String}, {Name: "size", Class: template.Int}},
			Conds: []template.Cond{
				{Field: 0, Op: template.Eq, Value: template.AppendString(nil, string(append(id, value...)))},
				{Field: 1, Op: template.Eq, Value: template.AppendInt(nil, int64(callID))},
			},
		}
		b = wire.AppendNamed(b, &t)
	}
	return wire.End(template.AppendOrder(b, nil), 0)
}

// opened returns a connection that has the default space open.
func (a *attacked) opened() net.Conn {
	nc := a.greeted()
	open := wire.Begin(nil, wire.Open, 1)
	open = append(wire.AppendBytes(append(open, 0), "default"), 0, 0)
	_, err := nc.Write(wire.End(open, 0))
	require.NoError(a.t, err)
	return nc
}

// Calls that wait, of any size, do not make a server full: takes go on. They may all end at the same time.
func TestServe_SurvivesVeryManyWaits(t *testing.T) {
	for name, of := range map[string]struct {
		calls, templates, bytes int
	}{
		"small ones":           {90_000, 1, 1},
		"of two kilobytes":     {30_000, 1, 2_000},
		"with sixty templates": {3_000, 60, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := startAttacked(t)
			ctx := t.Context()
			for range 100 {
				_, err := space.Write(ctx, a.cl, Stuff{N: 1})
				require.NoError(t, err)
			}
			end := time.Now().Add(5 * time.Second)
			readers := make(chan [2]int)
			for range 2 {
				nc := a.opened()
				go func() {
					n, refused := readAnswers(nc, of.calls)
					readers <- [2]int{n, refused}
				}()
				value := bytes.Repeat([]byte("x"), of.bytes)
				for i := range of.calls {
					_, err := nc.Write(waitingRead(uint64(i+2), max(time.Until(end), 1), of.templates, value))
					require.NoError(t, err)
				}
			}
			for range 100 {
				_, err := space.Take(ctx, a.cl, Stuff{N: 1}, space.NoWait())
				require.NoError(t, err)
				time.Sleep(10 * time.Millisecond) // memory is measured every 2 ms
			}
			refused := 0
			for range 2 {
				r := <-readers
				require.Equal(t, of.calls, r[0], "all are answered")
				refused += r[1]
			}
			t.Logf("%d of %d were refused", refused, 2*of.calls)
			require.Less(t, refused, of.calls*2)
			a.serves()
		})
	}
}

// readAnswers reads the answers of n finds, and returns how many there were, and of these how many were refused.
func readAnswers(nc net.Conn, n int) (answered, refused int) {
	in := wire.NewReader(nc, wire.DefaultMaxFrame)
	for answered < n {
		f, ok, err := in.Next()
		if err != nil {
			return answered, refused
		}
		if !ok {
			if in.Fill() != nil {
				return answered, refused
			}
			continue
		}
		if f.ID < 2 || f.Type != wire.Failure {
			continue
		}
		answered++
		d := wire.NewDecoder(f.Body)
		if errors.Is(d.Error(), space.ErrSpaceFull) {
			refused++
		}
	}
	return answered, refused
}

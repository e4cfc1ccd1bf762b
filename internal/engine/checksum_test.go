package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// drawn returns an image of e.
func drawn(e *Engine) []byte {
	m := e.BeginImage()
	defer m.Close()
	var image []byte
	for done := false; !done; {
		image, done = m.Draw(image, 100)
	}
	return image
}

// checksum returns the checksum of an image.
func checksum(t *testing.T, image []byte) uint64 {
	var c Checksum
	require.NoError(t, c.Write(image))
	return c.Sum()
}

// TestImage_ShowsOneMoment shows that equal states have equal checksums.
func TestChecksum_ShowsEachDifference(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	e.Register(0, job)
	for i := range 3 {
		drafts := []call.Draft{{Kind: jobKind, Row: appendJob(nil, i), Lease: 1000}}
		require.NoError(t, e.Write(0, txn.ID{}, call.Request{}, drafts).Err)
	}
	sums := map[uint64]string{checksum(t, drawn(e)): "itself"}
	for what, change := range map[string]func(r *record.Record){
		"an identity":    func(r *record.Record) { r.ID += 100 },
		"a row":          func(r *record.Record) { r.Body = appendJob(nil, 77) },
		"a lease":        func(r *record.Record) { r.Expires-- },
		"a version":      func(r *record.Record) { r.Version++ },
		"attempts":       func(r *record.Record) { r.Tries++ },
		"a place":        func(r *record.Record) { r.Number += 100 },
		"one is missing": nil,
	} {
		sum := checksum(t, altered(t, drawn(e), change))
		require.NotContains(t, sums, sum, "%s, and %s", what, sums[sum])
		sums[sum] = what
	}
	var c Checksum
	require.ErrorIs(t, c.Write([]byte{255}), record.ErrCorrupt)
}

// altered returns an image whose first entry is changed; it is left out if change is nil.
func altered(t *testing.T, image []byte, change func(r *record.Record)) (b []byte) {
	found := false
	var r record.Record
	for len(image) > 0 {
		rest, err := record.Next(image, &r)
		require.NoError(t, err)
		raw := image[:len(image)-len(rest)]
		image = rest
		switch {
		case r.Op != record.Entry || found:
			b = append(b, raw...)
			continue
		case change != nil:
			change(&r)
			b = record.AppendEntry(b, r.ID, r.Kind, r.Expires, r.Visible, r.Number, r.Version, r.Tries, r.Body)
		}
		found = true
	}
	require.True(t, found)
	return b
}

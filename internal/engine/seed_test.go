package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// A log that begins with a seed makes the state that the image shows, however the seed is divided into groups, and a
// replica goes on from there as the engine that was loaded from it.
func TestSeed_MakesWhatTheImageShows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		b := newBusy(t, seed)
		for range 400 {
			b.step()
		}
		m := b.e.BeginImage()
		var s Seed
		var all, whole []byte
		groups := New(Config{}, 0)
		for done := false; !done; {
			var image []byte
			image, done = m.Draw(nil, 7)
			whole = append(whole, image...)
			records, err := s.Add(nil, image)
			require.NoError(t, err)
			all = append(all, records...)
			require.NoError(t, groups.Apply(records))
		}
		m.Close()
		want := loaded(t, all)
		require.Equal(t, want.Hash(), groups.Hash())
		image := loaded(t, whole)
		require.Equal(t, image.Entries(), groups.Entries())
		require.Equal(t, len(image.Decisions()), len(groups.Decisions()))
		require.Equal(t, len(image.Prepared()), len(groups.Prepared()))
		require.Zero(t, len(groups.registrations)+len(groups.sessions.byID))

		groups.Originate(5) // it is not empty
		require.Equal(t, want.Hash(), groups.Hash())
		require.ErrorIs(t, groups.Apply(all), record.ErrCorrupt, "nor can it be made again")
	}
}

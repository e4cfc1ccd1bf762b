package backoff

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNext_DoublesUpToMax(t *testing.T) {
	t.Parallel()
	for range 100 { // the pauses are random
		b := Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond}
		for _, ceiling := range []time.Duration{10, 20, 40, 50, 50} {
			ceiling *= time.Millisecond
			require.False(t, b.AtMax() && ceiling < b.Max)
			pause := b.Next()
			require.LessOrEqual(t, pause, ceiling)
			require.GreaterOrEqual(t, pause, ceiling/2)
		}
		require.True(t, b.AtMax())
		b.Reset()
		require.LessOrEqual(t, b.Next(), b.Min, "after Reset")
		require.False(t, b.AtMax())
	}
}

func TestEase_TakesBackOneDoubling(t *testing.T) {
	t.Parallel()
	b := Backoff{Min: 10 * time.Millisecond, Max: time.Second}
	for range 4 {
		b.Next()
	}
	b.Ease() // 40 ms were before
	require.InDelta(t, 60*time.Millisecond, b.Next(), float64(20*time.Millisecond))
	for range 10 {
		b.Ease()
	}
	require.InDelta(t, 7500*time.Microsecond, b.Next(), float64(2500*time.Microsecond), "not less than a first one")
}

func TestNext_DiffersBetweenCallers(t *testing.T) {
	t.Parallel()
	pauses := map[time.Duration]bool{}
	for range 100 {
		b := Backoff{Min: time.Second, Max: time.Second}
		pauses[b.Next()] = true
	}
	require.Greater(t, len(pauses), 1)
}

func TestNext_AtOnceBeginsWithZero(t *testing.T) {
	t.Parallel()
	b := Backoff{Min: time.Second, Max: time.Minute, AtOnce: true}
	for range 2 {
		require.Zero(t, b.Next())
		require.InDelta(t, 750*time.Millisecond, b.Next(), float64(250*time.Millisecond))
		require.Greater(t, b.Next(), 999*time.Millisecond)
		b.Reset()
	}
}

func TestNext_OfTheZeroValueIsZero(t *testing.T) {
	t.Parallel()
	var b Backoff
	require.Zero(t, b.Next())
	require.Zero(t, b.Next())
}

func TestWait_EndsAfterThePauseOrWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, began := Backoff{Min: time.Minute, Max: time.Hour}, time.Now()
		require.NoError(t, b.Wait(t.Context()))
		require.InDelta(t, 45*time.Second, time.Since(began), float64(15*time.Second))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		require.ErrorIs(t, b.Wait(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
	})
}

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBytesValue_ReadsUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "512MiB": 512 << 20, "1.5GiB": 3 << 29, "2G": 2 << 30, "4GB": 4e9, "7 KiB": 7 << 10,
		"9B": 9,
	} {
		var v bytesValue
		require.NoError(t, v.Set(text), text)
		require.Equal(t, want, int64(v), text)
	}
	for _, text := range []string{"", "-1", "1XB", "GiB", "NaN", "1e30", "9e18GiB", "Inf"} {
		require.Error(t, new(bytesValue).Set(text), text)
	}
}

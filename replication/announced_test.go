package replication

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// A length that a damaged or hostile snapshot announces is not allocated before the bytes are there.
func TestReadSnapshot_AllocatesOnlyForWhatIsThere(t *testing.T) {
	b := binary.LittleEndian.AppendUint32([]byte(snapshotMagic), maxBlock)
	b = append(b, make([]byte, 4+1000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadSnapshot(bytes.NewReader(b), nil)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, ErrBadSnapshot)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
}

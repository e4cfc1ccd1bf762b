package wire_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/wire"
)

// decodeHandshake decodes b as both sides would.
func decodeHandshake(b []byte) {
	_, _ = wire.DecodeHello(b)
	_, _ = wire.DecodeWelcome(b, nil)
}

// handshakeAllocates limits the allocation for decoding a handshake of n bytes: a multiple of its size, and an error.
func handshakeAllocates(n int) uint64 { return uint64(64*n + 8<<10) }

func TestHandshake_AllocatesOnlyForWhatIsThere(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<32-1)
	for name, tail := range map[string][]byte{
		"a name of 4 GiB":               huge,
		"a session of 4 GiB":            append([]byte("\x07session"), huge...),
		"a list with a word of 4 GiB":   append([]byte("\x08requires\x05"), huge...),
		"a list that is its own length": []byte("\x08requires\xff\xff\xff\xff\x0f"),
	} {
		hello := append([]byte("gospaces\x02\x02"), tail...)
		welcome := append([]byte{wire.Version}, tail...)
		for _, b := range [][]byte{hello, welcome} {
			require.Less(t, allocated(func() { decodeHandshake(b) }), handshakeAllocates(len(b)), name)
		}
	}
}

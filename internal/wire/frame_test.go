package wire_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/wire"
)

func TestNext_DecodesWhatAppendFrameAppends(t *testing.T) {
	t.Parallel()
	b := wire.AppendFrame(nil, wire.Echo, 300, []byte("hello"))
	for n := range b {
		_, size, need, err := wire.Next(b[:n], 100)
		require.NoError(t, err)
		require.Zero(t, size, "of %d bytes", n)
		require.Greater(t, need, n)
	}
	f, size, _, err := wire.Next(append(b, 1, 2, 3), 100)
	require.NoError(t, err)
	require.Equal(t, len(b), size)
	require.Equal(t, wire.Frame{Type: wire.Echo, ID: 300, Body: []byte("hello")}, f)
}

func TestNext_RefusesWhatIsNoFrame(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"too long":             {101, 0, 0, 0},
		"HTTP":                 []byte("GET / HTTP/1.1\r\n"),
		"empty":                {0, 0, 0, 0},
		"no number":            {1, 0, 0, 0, 16},
		"number that is cut":   {2, 0, 0, 0, 16, 0x80},
		"number beyond limits": {9, 0, 0, 0, 16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		_, _, _, err := wire.Next(b, 100)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
}

func TestReader_CutsAStreamIntoFrames(t *testing.T) {
	t.Parallel()
	var stream []byte
	bodies := [][]byte{nil, []byte("a"), make([]byte, 3000), make([]byte, 200_000), []byte("z")}
	for i, body := range bodies {
		stream = wire.AppendFrame(stream, wire.Echo, uint64(i), body)
	}
	for name, src := range map[string]io.Reader{
		"at once":   bytes.NewReader(stream),
		"by bytes":  iotest.OneByteReader(bytes.NewReader(stream)),
		"by halves": iotest.HalfReader(bytes.NewReader(stream)),
		"with EOF":  iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		r := wire.NewReader(src, 1<<20)
		for i, body := range bodies {
			f, err := nextFrame(r)
			require.NoError(t, err, name)
			require.Equal(t, uint64(i), f.ID, name)
			require.True(t, bytes.Equal(body, f.Body), name)
		}
		require.Equal(t, uint64(len(stream)), r.Total())
		_, err := nextFrame(r)
		require.ErrorIs(t, err, io.EOF, name)
	}
}

func nextFrame(r *wire.Reader) (wire.Frame, error) {
	for {
		f, ok, err := r.Next()
		if ok || err != nil {
			return f, err
		}
		if err := r.Fill(); err != nil {
			return f, err
		}
	}
}

// A peer that announces a long frame and sends little of it causes no allocation.
func TestReader_AllocatesOnlyForWhatArrives(t *testing.T) {
	start := []byte{0, 0, 0, 1, byte(wire.Echo), 1} // 16 MiB
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		r := wire.NewReader(bytes.NewReader(start), 16<<20)
		_, err := nextFrame(r)
		require.ErrorIs(t, err, io.EOF)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(100*100<<10))
}

// A connection with a bulk call now and then neither makes a buffer for each, nor keeps one.
func TestReader_BuffersForLongFramesAreUsedAgain(t *testing.T) {
	const size, times = 300 << 10, 100
	frames := wire.AppendFrame(nil, wire.Echo, 1, bytes.Repeat([]byte{1}, size))
	frames = wire.AppendFrame(frames, wire.Echo, 2, []byte("short"))
	src := new(bytes.Buffer)
	r := wire.NewReader(src, 16<<20)
	used := allocated(func() {
		for range times {
			src.Reset()
			src.Write(frames)
			f, err := nextFrame(r)
			require.NoError(t, err)
			require.Len(t, f.Body, size)
			f, err = nextFrame(r)
			require.NoError(t, err)
			require.Equal(t, "short", string(f.Body))
		}
	})
	require.Less(t, used, uint64(2*size*times), "three buffers would be made for each: 64, 128, 256 KiB and more")
}

func FuzzNext(f *testing.F) {
	f.Add(wire.AppendFrame(nil, wire.Find, 7, []byte{0, 0, 1}))
	f.Add([]byte("GET / HTTP/1.1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, size, need, err := wire.Next(b, 1000)
		switch {
		case err != nil:
			require.ErrorIs(t, err, wire.ErrMalformed)
		case size == 0:
			require.Greater(t, need, len(b))
			require.LessOrEqual(t, need, 1004)
		default:
			require.LessOrEqual(t, size, len(b))
			again, _, _, err := wire.Next(wire.AppendFrame(nil, fr.Type, fr.ID, fr.Body), 1000)
			require.NoError(t, err)
			require.Equal(t, fr, again)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add(wire.AppendFrame(wire.AppendFrame(nil, wire.Find, 7, []byte{0, 0, 1}), wire.Ping, 0, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(iotest.HalfReader(bytes.NewReader(b)), 1000)
		for {
			_, err := nextFrame(r)
			if err != nil {
				require.True(t, errors.Is(err, io.EOF) || errors.Is(err, wire.ErrMalformed), "%v", err)
				break
			}
		}
		require.LessOrEqual(t, r.Total(), uint64(len(b)))
	})
}

// A frame for which there is no memory is skipped: its call can be refused, and the next frame is read as usual.
func TestReader_PassesOverWhatThereIsNoRoomFor(t *testing.T) {
	t.Parallel()
	var stream []byte
	for i, n := range []int{10, 1 << 20, 10, 90_000, 3 << 20, 0} {
		stream = wire.AppendFrame(stream, wire.Echo, uint64(i), make([]byte, n))
	}
	for name, src := range map[string]io.Reader{
		"at once":   bytes.NewReader(stream),
		"by bytes":  iotest.OneByteReader(bytes.NewReader(stream)),
		"by halves": iotest.HalfReader(bytes.NewReader(stream)),
	} {
		r := wire.NewReader(src, 16<<20)
		room := 200_000 // more than every connection has
		r.Room = func(n int) bool {
			if n > room {
				return false
			}
			room -= n
			return true
		}
		var passed []uint64
		for i := range 6 {
			f, err := nextFrame(r)
			if errors.Is(err, wire.ErrNoRoom) {
				passed = append(passed, f.ID)
				err = nil
			}
			require.NoError(t, err, name)
			require.Equal(t, wire.Echo, f.Type, name)
			require.Equal(t, uint64(i), f.ID, name)
		}
		require.Equal(t, []uint64{1, 4}, passed, name)
		require.Equal(t, uint64(len(stream)), r.Total(), name)
		r.Close()
		require.Equal(t, 200_000, room, "%s: all is given back", name)
	}
}

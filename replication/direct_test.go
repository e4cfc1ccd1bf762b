//go:build !nolink

package replication

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// What is taken from the embedded server without being exported is declared there as it is here.
func TestLink_Declarations(t *testing.T) {
	t.Parallel()
	const path = "github.com/nats-io/nats-server/v2"
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	require.NoError(t, err)
	theirs, _ := declared(t, filepath.Join(strings.TrimSpace(string(dir)), "server"))
	ours, links := declared(t, ".")
	require.Contains(t, links, "processMessage")
	for local, remote := range links {
		name := strings.TrimPrefix(remote, path+"/server.")
		require.NotEmpty(t, theirs[name], remote)
		require.Equal(t, theirs[name], ours[local], remote)
	}
}

// declared returns the types of what the functions of a folder take and return, receivers first, and which of the
// functions are linked to others.
func declared(t *testing.T, dir string) (funcs, links map[string]string) {
	t.Helper()
	funcs, links = map[string]string{}, map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || strings.HasSuffix(path, "_test.go") {
				continue
			}
			funcs[qualified(f)] = signature(f)
			if f.Doc == nil {
				continue
			}
			for _, c := range f.Doc.List {
				if words := strings.Fields(c.Text); words[0] == "//go:linkname" {
					links[words[1]] = words[2]
				}
			}
		}
	}
	return funcs, links
}

func qualified(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return "(" + types.ExprString(f.Recv.List[0].Type) + ")." + f.Name.Name
}

// hidden matches pointers to types of the server that it does not export. Here they are unsafe.
var hidden = regexp.MustCompile(`^\*[a-z]\w*$`)

func signature(f *ast.FuncDecl) string {
	var all []string
	for _, list := range []*ast.FieldList{f.Recv, f.Type.Params, f.Type.Results} {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			name := strings.Replace(types.ExprString(field.Type), "server.", "", 1)
			if hidden.MatchString(name) {
				name = "unsafe.Pointer"
			}
			all = append(all, slices.Repeat([]string{name}, max(len(field.Names), 1))...)
		}
	}
	return strings.Join(all, ", ")
}

// A message that is stored directly is in the log as one that was published, header and all, and its followers are
// told. Nothing goes over the publisher's connection.
func TestDirect_StoresWhatPublishingDoes(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Followers: true})
	l := primary(t, s)
	told := startFollowing(t, replica(t, s, "other"), 0)
	told.reach(t, l.Last())
	h := filesOf(l)
	stream := streamOf(t, l)
	for n, size := range []int{0, 1, 200, 64 << 10, 4 << 20} {
		msg := commit(uint64(n)+1, size)
		var stored []*jetstream.RawStreamMsg
		for range 2 {
			pub, way := h.pub, h.direct
			if len(stored) == 0 {
				h.direct = direct{}
			} else {
				pub.close()
			}
			require.NoError(t, l.Append(msg))
			require.Same(t, pub, h.pub)
			require.Equal(t, []uint64{uint64(n) + 1}, told.reach(t, l.Last()))
			raw, err := stream.GetMsg(t.Context(), l.Last())
			require.NoError(t, err)
			stored = append(stored, raw)
			h.direct = way
		}
		require.NoError(t, h.connectLocked())
		published, directly := stored[0], stored[1]
		require.Equal(t, published.Sequence+1, directly.Sequence)
		require.Equal(t, published.Subject, directly.Subject)
		require.Equal(t, published.Data, directly.Data)
		for _, raw := range stored {
			require.Equal(t, strconv.FormatUint(raw.Sequence-1, 10), raw.Header.Get("Nats-Expected-Last-Sequence"))
			for _, name := range []string{"Nats-Expected-Last-Sequence", "Nats-Sequence", "Nats-Time-Stamp"} {
				raw.Header.Del(name)
			}
		}
		require.Equal(t, published.Header, directly.Header)
	}
}

// committed returns a message as Append completes it.
func committed(l *Log, n uint64) []byte {
	msg := commit(n, 10)
	record.AppendHeader(msg[:0], record.Header{Type: record.Commit, Epoch: l.epoch})
	return msg
}

func streamOf(t *testing.T, l *Log) jetstream.Stream {
	t.Helper()
	srv, err := l.store.server()
	require.NoError(t, err)
	st, err := srv.js.Stream(t.Context(), l.id.stream())
	require.NoError(t, err)
	return st
}

// The direct way stores only at the position that it is told, and reports nothing else as stored.
func TestDirect_TellsWhenItHasNotStored(t *testing.T) {
	t.Parallel()
	ends := map[string]func(t *testing.T, l *Log){
		"stream deleted": func(t *testing.T, l *Log) {
			srv, err := l.store.server()
			require.NoError(t, err)
			require.NoError(t, srv.js.DeleteStream(t.Context(), l.id.stream()))
		},
		"server stopped": func(t *testing.T, l *Log) {
			srv, err := l.store.server()
			require.NoError(t, err)
			srv.stop()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := primary(t, open(t, Config{}))
			appendAll(t, l, 1, 3)
			way := &filesOf(l).direct
			last := l.Last()
			for _, wrong := range []uint64{0, last - 1, last + 1} {
				stored, err := way.store(committed(l, 9), wrong)
				require.Error(t, err)
				require.False(t, stored)
			}
			stored, err := (&direct{}).store(committed(l, 9), last)
			require.ErrorIs(t, err, errNoStream)
			require.False(t, stored)
			require.EqualValues(t, last, streamLast(way.stream))
			end(t, l)
			stored, err = way.store(committed(l, 9), last)
			require.Error(t, err)
			require.False(t, stored)
		})
	}
}

// While a stream is being stopped there is a moment in which it takes a message, stores nothing and returns no error.
func TestDirect_RacesWithTheEnd(t *testing.T) {
	t.Parallel()
	for range 4 {
		dir := t.TempDir()
		s := open(t, Config{Dir: dir})
		l := primary(t, s)
		way, last := &filesOf(l).direct, l.Last()
		began := make(chan struct{})
		stored := make(chan uint64)
		go func() {
			n := uint64(0)
			for ; ; n++ {
				if n == 10 {
					close(began)
				}
				if ok, _ := way.store(committed(l, n+1), last+n); !ok {
					break
				}
			}
			stored <- n
		}()
		<-began
		srv, err := s.server()
		require.NoError(t, err)
		srv.stop()
		n := <-stored
		require.NoError(t, s.Close())
		got := replayed(t, idle(t, open(t, Config{Dir: dir})))
		require.Equal(t, upTo(uint64(len(got))), got)
		require.GreaterOrEqual(t, uint64(len(got)), n)
		require.LessOrEqual(t, uint64(len(got)), n+1) // it may be stored without being told so
	}
}

package client_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/wire"
)

// The client makes every call that there is.
func TestOps_AreAllUsed(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "wire" {
					used[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	for typ := wire.Type(0); typ < wire.Types; typ++ {
		switch op := wire.OpOf(typ); {
		case op == nil:
		case typ == wire.Hello: // wire.AppendHello has it
			require.True(t, used["AppendHello"])
		case typ == wire.Ack:
			require.True(t, used["AppendAck"])
		default:
			require.True(t, used[op.Name], "%s is never called", op.Name)
		}
	}
}

// sources returns the files of this package, without tests.
func sources(t *testing.T) (files []*ast.File) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		require.NoError(t, err)
		files = append(files, file)
	}
	return files
}

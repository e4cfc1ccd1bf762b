package space_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// everyOption has an expression for each option.
var everyOption = map[string]string{
	"For": "space.For(1)", "Delay": "space.Delay(1)", "In": "space.In(tx)", "On": "space.On(space.Taken)",
	"Wait": "space.Wait(1)", "NoWait": "space.NoWait()", "Where": `space.Where("id", space.Eq(1))`,
	"Or": "space.Or(job{})", "OrderBy": `space.OrderBy("id")`, "Max": "space.Max(1)", "Held": "space.Held()",
	"Hidden": "space.Hidden(&n)", "Strict": "space.Strict()",
}

const (
	fitsMatch  = "Where Or Strict "
	fitsSelect = fitsMatch + "OrderBy "
	fitsFind   = fitsSelect + "Wait NoWait "
	fitsTake   = fitsFind + "In "
	fitsRead   = fitsTake + "Held "
	fitsID     = fitsMatch + "Wait NoWait In "
	fitsWrite  = "For Delay In "
)

// optionFits lists for each call the options that it takes: the table of semantics 8.6.
var optionFits = []struct{ call, fits string }{
	{"space.Write(ctx, sp, job{}, opt)", fitsWrite},
	{"space.WriteAll(ctx, sp, []job{}, opt)", fitsWrite},
	{"space.Stage(ctx, tx, job{}, opt)", "For Delay"},
	{"space.Read(ctx, sp, job{}, opt)", fitsRead},
	{"space.ReadIfExists(ctx, sp, job{}, opt)", fitsRead},
	{"space.ReadAll(ctx, sp, job{}, 1, opt)", fitsRead + "Hidden"},
	{"space.ReadID[job](ctx, sp, 1, opt)", fitsID},
	{"space.Take(ctx, sp, job{}, opt)", fitsTake},
	{"space.TakeIfExists(ctx, sp, job{}, opt)", fitsTake},
	{"space.TakeAll(ctx, sp, job{}, 1, opt)", fitsTake},
	{"space.TakeID[job](ctx, sp, 1, opt)", fitsID},
	{"space.TakeTxn(ctx, sp, job{}, opt)", fitsFind + "For"},
	{"space.Update(ctx, sp, job{}, change, opt)", fitsTake},
	{`space.Add(ctx, sp, job{}, "id", 1, opt)`, fitsTake},
	{"space.Replace(ctx, sp, 1, 0, job{}, opt)", "In"},
	{"space.ReadEntry(ctx, sp, job{}, opt)", fitsRead},
	{"space.TakeEntry(ctx, sp, job{}, opt)", fitsTake},
	{"space.ReadEntryID[job](ctx, sp, 1, opt)", fitsID},
	{"space.ReadEntries(ctx, sp, job{}, 1, opt)", fitsRead + "Hidden"},
	{"space.TakeEntries(ctx, sp, job{}, 1, opt)", fitsTake},
	{"space.TakeEntryTxn(ctx, sp, job{}, opt)", fitsFind + "For"},
	{"space.Entries(ctx, sp, job{}, opt)", fitsMatch + "Max In Held Hidden"},
	{"space.Count(ctx, sp, job{}, opt)", fitsMatch + "In Held"},
	{"space.Contents(ctx, sp, job{}, opt)", fitsMatch + "Max In Held Hidden"},
	{"space.Notify(ctx, sp, job{}, opt)", fitsMatch + "For On In"},
	{"space.Events(ctx, sp, job{}, opt)", fitsMatch + "For On In"},
	{"space.Begin(ctx, sp, opt)", "For"},
	{"space.Prepare(ctx, sp, job{}, opt)", fitsRead},
	{"prepared.Read(ctx, opt)", "Wait NoWait In"},
	{"prepared.ReadIfExists(ctx, opt)", "Wait NoWait In"},
	{"prepared.Take(ctx, opt)", "Wait NoWait In"},
	{"prepared.TakeIfExists(ctx, opt)", "Wait NoWait In"},
	{"prepared.Count(ctx, opt)", "In"},
	{"prepared.Write(ctx, opt)", fitsWrite},
	{"work.Run(ctx, sp, job{}, handle, work.Config{}, opt)", fitsFind},
	{"work.Revive(ctx, sp, work.DeadLetter{}, 1, opt)", fitsSelect},
	{"current.Stage(ctx, job{}, opt)", "For Delay"},
}

const optionFile = `package fit

import (
	"context"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

type job struct{ ID int }

var (
	ctx      context.Context
	sp       space.Space
	tx       *space.Txn
	prepared *space.Prepared[job]
	current  *work.Job[job]
	n        int
)

func change(*job) error { return nil }

func handle(context.Context, *work.Job[job]) error { return nil }
`

// Every option compiles with the calls that it fits, and with no others.
func TestOptions_FitByTheirTypes(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString(optionFile)
	type pair struct{ call, option string }
	var pairs []pair
	for _, c := range optionFits {
		for name, option := range everyOption {
			fmt.Fprintf(&file, "\nfunc call%d() { %s }\n", len(pairs), strings.Replace(c.call, "opt)", option+")", 1))
			pairs = append(pairs, pair{c.call, name})
		}
	}
	wrong := wrongCalls(t, file.String())
	for i, p := range pairs {
		fits := optionFits[slices.IndexFunc(optionFits,
			func(f struct{ call, fits string }) bool { return f.call == p.call })].fits
		err := wrong[fmt.Sprint("call", i)]
		if slices.Contains(strings.Fields(fits), p.option) {
			require.NoError(t, err, "%s with %s", p.call, p.option)
			continue
		}
		require.ErrorContains(t, err, "does not implement", "%s with %s", p.call, p.option)
	}
}

// wrongCalls checks the types of a file and returns the first error in each of its functions.
func wrongCalls(t *testing.T, src string) map[string]error {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "fit.go", src, parser.SkipObjectResolution)
	require.NoError(t, err)
	wrong := map[string]error{}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", exportData(t)), Error: func(err error) {
		typeErr, ok := errors.AsType[types.Error](err)
		require.True(t, ok)
		at := slices.IndexFunc(f.Decls, func(d ast.Decl) bool { return d.Pos() <= typeErr.Pos && typeErr.Pos < d.End() })
		require.GreaterOrEqual(t, at, 0, err)
		name := f.Decls[at].(*ast.FuncDecl).Name.Name
		if wrong[name] == nil {
			wrong[name] = err
		}
	}}
	_, _ = conf.Check("fit", fset, []*ast.File{f}, nil) // its errors have been told
	return wrong
}

// exportData returns where the types of package work, and of all that it imports, can be read.
func exportData(t *testing.T) importer.Lookup {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export", "./work")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	files := map[string]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		files[p.ImportPath] = p.Export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

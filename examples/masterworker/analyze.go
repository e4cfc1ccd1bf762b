package main

import (
	"bytes"
	"crypto/sha256"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// analyze reads one file below root. Workers share this work; the check repeats it alone.
func analyze(root, file string) FileResult {
	src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		return FileResult{File: file, Problem: err.Error()}
	}
	sum := sha256.Sum256(src)
	r := FileResult{File: file, Lines: countLines(src), Bytes: len(src), SHA256: sum[:]}
	tree, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution)
	if err != nil {
		return r
	}
	r.Parsed = true
	for _, spec := range tree.Imports {
		// As in the source: a test of the toolchain imports "abc\xffdef", which no database accepts as text.
		r.Imports = append(r.Imports, strings.Trim(spec.Path.Value, "`\""))
	}
	for _, d := range tree.Decls {
		if _, ok := d.(*ast.FuncDecl); ok {
			r.Functions++
		}
	}
	return r
}

// countLines counts lines, the last one also when no newline ends it.
func countLines(src []byte) int {
	n := bytes.Count(src, []byte{'\n'})
	if len(src) > 0 && src[len(src)-1] != '\n' {
		n++
	}
	return n
}

// sourceFiles lists the Go files below root by their slash-separated names, sorted.
func sourceFiles(root string) ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Ext(path) == ".go" {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

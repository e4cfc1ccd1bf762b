package main

import "time"

// Run announces that a master has work and has written all its jobs. Its lease is kept alive by the master.
type Run struct {
	ID    string `space:"id,id"`
	Root  string
	Files int // number of files, with a job each
}

// RunFinished tells the workers of a run to stop. They read it and leave it there, since it must reach all of them.
type RunFinished struct {
	Run string
}

// FileJob asks for one file to be read.
type FileJob struct {
	Run  string
	File string // below the run's root
}

// FileResult is what a worker found in one file.
type FileResult struct {
	Run       string
	File      string
	Lines     int
	Bytes     int
	SHA256    []byte
	Parsed    bool     // false for files that are not valid Go; the toolchain's tests have some
	Imports   []string // none unless Parsed
	Functions int      // declared functions and methods; none unless Parsed
	Problem   string   // why the file could not be read; then nothing else is set
}

// PackageTotal, ImportTotal and RunSummary are the result. They stay in the space after the run.
type PackageTotal struct {
	Run       string
	Package   string // the folder below the root
	Files     int
	Lines     int
	Bytes     int
	Functions int
}

// ImportTotal is the number of files that import a package.
type ImportTotal struct {
	Run    string
	Import string
	Files  int
}

// RunSummary is the sum over all files.
type RunSummary struct {
	Run       string `space:"run,id"`
	Root      string
	Files     int
	Unparsed  int // files that are not valid Go
	Packages  int
	Lines     int
	Bytes     int
	Functions int
	Imports   int    // number of different imports
	Digest    string // hexadecimal SHA-256 of the output of sha256sum for all files, by name
	Started   time.Time
	Took      time.Duration
}

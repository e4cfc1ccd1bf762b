package replication

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gospaces/gospaces/internal/fsync"
)

// Damaged files are kept in a folder of this name.
const asideFolder = "damaged"

// kept returns the parts of each file that can stay: nothing if the file is missing from the result.
func (i *inspection) kept() map[int][]piece {
	kept := map[int][]piece{}
	end := i.files.through(i.snapshot)
	var chain []piece
	last := uint64(0)
	for _, p := range i.files.pieces {
		if p.from > 0 && !p.joins(last) && last > 0 {
			chain = nil
		}
		if chain = append(chain, p); p.from > 0 {
			last = p.to
		}
		if last == end && last > 0 {
			break
		}
	}
	if last != end {
		return kept
	}
	for _, p := range chain {
		kept[p.number] = append(kept[p.number], p)
	}
	return kept
}

// whole reports whether the files need no repair.
func (i *inspection) whole() bool {
	return i.files.fault(i.snapshot) == nil && i.files.through(i.snapshot) == max(i.files.end(), i.snapshot)
}

// repair turns the log into one that can continue, from the newest good snapshot and what follows it without a gap.
// Damaged parts, and what follows them, are kept in a separate folder, whose path it returns. It may be interrupted at
// any time, and is then repeated.
func (i *inspection) repair() (aside string, err error) {
	f, w := i.folder, i.witness
	if i.metaLost {
		i.stream = w.Stream
		if i.stream == "" {
			i.stream = newIncarnation()
		}
	}
	lossless := i.unreadable == nil && w.Stream == i.stream && !i.short && i.whole()
	if !w.Lost && !lossless {
		w = witness{Stream: i.stream, Incarnation: newIncarnation(), Lost: true, Losses: 1 + max(w.Losses, i.losses())}
	}
	aside = filepath.Join(i.asideDir(), w.Incarnation)
	if err := makeDir(aside); err != nil {
		return aside, err
	}
	if i.unreadable != nil {
		err = move(filepath.Join(f.snapshotDir(i.id), witnessFile), aside)
	}
	if err == nil && w.Lost {
		err = errors.Join(f.writeWitness(i.id, w), i.repairSnapshots(), i.repairFiles(aside))
	}
	if err == nil && i.metaLost {
		err = i.repairMeta(aside)
	}
	for _, stale := range []string{
		filepath.Join(f.messagesDir(i.id), indexFile),
		filepath.Join(f.snapshotDir(i.id), seenFile),
	} {
		if err == nil {
			err = move(stale, aside)
		}
	}
	return aside, errors.Join(err, fsync.Folder(aside))
}

// asideDir returns the folder with a sub-folder for each time that parts of the log were set aside.
func (i *inspection) asideDir() string {
	return filepath.Join(i.folder.path, asideFolder, filepath.Base(i.folder.snapshotDir(i.id)))
}

// losses returns the number of times that parts of the log were set aside, as far as they are kept: the witness may be
// lost.
func (i *inspection) losses() int {
	before, _ := os.ReadDir(i.asideDir())
	return len(before)
}

// repairMeta rewrites the description of the stream.
func (i *inspection) repairMeta(aside string) error {
	for _, name := range []string{"meta.inf", "meta.sum"} {
		if err := move(filepath.Join(i.folder.streamDir(i.id), name), aside); err != nil {
			return err
		}
	}
	return i.folder.writeMeta(i.id, i.stream)
}

// repairSnapshots renames damaged snapshots so that they are ignored.
func (i *inspection) repairSnapshots() error {
	for _, p := range i.snapshots {
		path := i.folder.snapshotPath(i.id, p)
		_, err := readSnapshotFile(path, nil)
		if errors.Is(err, ErrNewer) {
			return err
		}
		if errors.Is(err, ErrBadSnapshot) {
			err = os.Rename(path, path+".damaged")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// repairFiles removes what cannot stay from the files.
func (i *inspection) repairFiles(aside string) error {
	if i.whole() && i.files.torn == nil {
		return nil
	}
	kept := i.kept()
	for _, n := range slices.Backward(i.files.numbers) { // so the beginning of a log is left at any time
		if err := i.repairFile(n, kept[n], aside); err != nil {
			return err
		}
	}
	return nil
}

// repairFile keeps only the given parts of a file.
func (i *inspection) repairFile(number int, parts []piece, aside string) error {
	path := blockPath(i.files.dir, number)
	if len(parts) == 0 {
		return move(path, aside)
	}
	f, err := readBlock(i.files.dir, i.id, number)
	if err != nil {
		return err
	}
	var content []byte
	for _, p := range parts {
		content = append(content, f.content[p.begin:p.end]...)
	}
	if len(content) == len(f.content) {
		return nil
	}
	if err := os.Link(path, filepath.Join(aside, filepath.Base(path))); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return replaceFile(path, content, true)
}

// move moves a file, if it exists, into a folder, beside any file of that name.
func move(path, dir string) error {
	to := filepath.Join(dir, filepath.Base(path))
	for {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to += ".again"
	}
	err := os.Rename(path, to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

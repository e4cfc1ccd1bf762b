package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// The embedded server makes its own sense of files that are damaged: it shortens them, begins a log anew, or never gets ready. So all logs are inspected before it is
// started, and those that have lost what was acknowledged are put where it does not see them; the others are served.

// inspect looks at the files of all logs, takes off what was never acknowledged, and returns why logs are refused, which are out of the server's sight
// then until bringBack. With accept it repairs them instead, so that they can go on without what is lost.
func (f *folder) inspect(ctx context.Context, cfg Config, accept bool) (refused map[logID]error, err error) {
	if err := f.bringBack(); err != nil {
		return nil, err
	}
	ids, err := f.streams()
	if err != nil {
		return nil, err
	}
	refused = map[logID]error{}
	for _, id := range ids {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		why, err := f.inspectLog(ctx, id, cfg, accept)
		if err == nil && why != nil {
			cfg.Logger.Error("log_refused", "log", id.String(), "error", why)
			refused[id] = why
			err = f.putAway(id)
		}
		if err != nil {
			return nil, fmt.Errorf("log %v: %w", id, err)
		}
	}
	return refused, nil
}

// streams returns the logs that have folders of their own.
func (f *folder) streams() (ids []logID, err error) {
	dirs, err := os.ReadDir(f.streamsDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, d := range dirs {
		if id, ok := streamID(d.Name()); ok {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// inspectLog is inspect for one log.
func (f *folder) inspectLog(ctx context.Context, id logID, cfg Config, accept bool) (why, err error) {
	if err := f.endPurge(id); err != nil {
		return nil, err
	}
	i := inspection{folder: f, id: id, sync: cfg.Sync, boot: bootID()}
	i.witness, i.unreadable = f.readWitness(id)
	accept = accept || i.witness.Lost // else the end of a process has interrupted it
	if why, err = i.verdict(ctx, accept); err != nil {
		return nil, err
	}
	switch torn := i.files.torn; {
	case why == nil && torn != nil:
		cfg.Logger.Info("log_end_cut", "log", id.String(), "after", i.files.lastMessage(), "bytes", torn.size, "file", blockPath(i.files.dir, torn.number))
		return nil, errors.Join(i.files.cut(), i.noteLost())
	case why == nil:
		return nil, i.noteLost()
	case !accept:
		return why, nil
	}
	aside, err := i.repair()
	if err == nil {
		cfg.Logger.Warn("loss_accepted", "log", id.String(), "loss", why, "aside", aside)
	}
	return nil, err
}

// endPurge ends the removal of all messages of a log that the end of a process has interrupted, as the server would: what is left is beside the files.
func (f *folder) endPurge(id logID) error {
	left := filepath.Join(f.streamDir(id), "__new_msgs__")
	numbers, err := blockNumbers(left)
	if err != nil || len(numbers) == 0 {
		return err
	}
	dir := f.messagesDir(id)
	return errors.Join(os.RemoveAll(dir), os.Rename(left, dir))
}

// inspection is what is found out about one log.
type inspection struct {
	folder     *folder
	id         logID
	sync       bool
	boot       string
	witness    witness
	unreadable error // why the witness is not known
	stream     string
	metaLost   bool // what says which stream it is cannot be read
	snapshots  []uint64
	snapshot   uint64 // the newest: by its name, or the newest good one
	files      *survey
	short      bool // the log does not come as far as it once did
}

// verdict returns why the log is refused, ErrDamaged or ErrLost; nil if it is whole, as far as one can see. all lets it read everything.
func (i *inspection) verdict(ctx context.Context, all bool) (why, err error) {
	stream, ok := i.folder.readMeta(i.id)
	i.stream, i.metaLost = stream, !ok
	if err := i.survey(ctx, all); err != nil {
		return nil, err
	}
	if i.snapshots, err = i.folder.snapshots(i.id); err != nil {
		return nil, err
	}
	if all {
		i.snapshot, _, err = i.folder.newestGood(i.id)
	} else if len(i.snapshots) > 0 {
		i.snapshot = i.snapshots[0]
	}
	if err != nil {
		return nil, err
	}
	known := i.known()
	i.short = i.files.end() < known
	switch damaged := i.files.fault(i.snapshot); {
	case i.unreadable != nil:
		return i.unreadable, nil
	case i.metaLost:
		return fmt.Errorf("%w: what stream it is cannot be read (meta.inf and meta.sum in %s)", ErrDamaged, i.folder.streamDir(i.id)), nil
	case damaged != nil:
		return damaged, nil
	case i.short:
		return endLost(i.id, i.files.end(), known, i.snapshot), nil
	case all && i.snapshot == 0 && i.files.end() == 0 && len(i.snapshots) > 0:
		return fmt.Errorf("%w: there is no good one", ErrBadSnapshot), nil
	case all && i.files.through(i.snapshot) < i.files.end():
		return fmt.Errorf("%w: what follows position %d is not there, and there is no good snapshot of a later one", ErrPosition, i.snapshot), nil
	}
	return nil, nil
}

// survey looks at the files: at all of them if the server would, because its index does not tell what they hold.
func (i *inspection) survey(ctx context.Context, all bool) (err error) {
	if i.files, err = i.folder.surveyLog(ctx, i.id, all); err != nil || all {
		return err
	}
	last, ok := i.folder.readIndex(i.id)
	n := i.files.numbers
	holes := len(n) > 0 && n[len(n)-1]-n[0] >= len(n)
	if ok && last == i.files.end() && !holes && len(i.files.damaged) == 0 && i.files.torn == nil {
		return nil
	}
	i.files, err = i.folder.surveyLog(ctx, i.id, true)
	return err
}

// known returns the highest position that the log has certainly reached, on the disk: without Sync, what only the operating system has got counts for as long as the
// machine has run since.
func (i *inspection) known() uint64 {
	w, s := i.witness, i.folder.readSeen(i.id)
	if w.Lost || w.Stream != i.stream && !i.metaLost {
		return 0 // it was accepted, or is the witness of another stream, of which the log's opening tells
	}
	known := w.Reached
	if s.Incarnation == w.Incarnation && (i.sync || s.Boot == i.boot) {
		known = max(known, s.Position)
		if last, ok := i.folder.readIndex(i.id); ok {
			known = max(known, last)
		}
	}
	return known
}

// noteLost makes a log go on after what a loss of power has taken off its end, as far as one knows: its positions are not used again.
func (i *inspection) noteLost() error {
	last, s := i.files.lastMessage(), i.folder.readSeen(i.id)
	if last == 0 || s.Incarnation != i.witness.Incarnation || i.files.reached() >= s.Position {
		return nil
	}
	number := i.files.numbers[len(i.files.numbers)-1] + 1
	f, err := newBlockFile(nil, i.id, number)
	if err != nil {
		return err
	}
	return replaceFile(blockPath(i.files.dir, number), f.note(s.Position), true)
}

// refusedFolder holds the streams that the embedded server must not see.
const refusedFolder = "refused"

// putAway puts the files of a log where the server does not see them.
func (f *folder) putAway(id logID) error {
	dir := filepath.Join(f.path, refusedFolder)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	return os.Rename(f.streamDir(id), filepath.Join(dir, id.stream()))
}

// bringBack puts the files of all refused logs back in their places.
func (f *folder) bringBack() error {
	dir := filepath.Join(f.path, refusedFolder)
	dirs, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		from, to := filepath.Join(dir, d.Name()), filepath.Join(f.streamsDir(), d.Name())
		if _, there := os.Lstat(to); there == nil {
			err = errors.Join(err, fmt.Errorf("%s and %s are both there: remove the one that is not to be used", from, to))
			continue
		}
		err = errors.Join(err, os.MkdirAll(f.streamsDir(), 0o750), os.Rename(from, to))
	}
	if err != nil {
		return err
	}
	return os.Remove(dir)
}

// files of what was damaged are kept in a folder of this name.
const asideFolder = "damaged"

// kept returns what of each file can go on: nothing at all if no part of it is given.
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

// repair makes of the log one that can go on, from the newest good snapshot and what follows it without a gap. What is damaged, and what follows that, is kept in a folder
// of its own, whose path it returns. It may be interrupted at any time, and is done again then.
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
	return aside, errors.Join(err, move(filepath.Join(f.messagesDir(i.id), indexFile), aside), move(filepath.Join(f.snapshotDir(i.id), seenFile), aside), syncDir(aside))
}

// asideDir returns the folder that has one for each time that something of the log was put aside.
func (i *inspection) asideDir() string {
	return filepath.Join(i.folder.path, asideFolder, filepath.Base(i.folder.snapshotDir(i.id)))
}

// losses returns how often something of the log was put aside, as far as that is kept: the witness may be lost.
func (i *inspection) losses() int {
	before, _ := os.ReadDir(i.asideDir())
	return len(before)
}

// repairMeta says anew what the stream is.
func (i *inspection) repairMeta(aside string) error {
	for _, name := range []string{"meta.inf", "meta.sum"} {
		if err := move(filepath.Join(i.folder.streamDir(i.id), name), aside); err != nil {
			return err
		}
	}
	return i.folder.writeMeta(i.id, i.stream)
}

// repairSnapshots gives damaged snapshots names by which they are none.
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

// repairFiles takes what cannot go on out of the files.
func (i *inspection) repairFiles(aside string) error {
	if i.whole() && i.files.torn == nil {
		return nil
	}
	kept := i.kept()
	for _, n := range slices.Backward(i.files.numbers) { // the last first: what is left is the beginning of a log at any time
		if err := i.repairFile(n, kept[n], aside); err != nil {
			return err
		}
	}
	return nil
}

// repairFile leaves the given parts of a file.
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

// move moves a file, if it is there, into a folder, beside what has its name there.
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

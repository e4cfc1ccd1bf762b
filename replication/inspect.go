package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The embedded server truncates damaged files, begins a log again, or never gets ready. So all logs are inspected
// before it is started; those that have lost something acknowledged are moved out of its sight, and the others are
// served.

// inspect checks the files of all logs, removes what was never acknowledged, and returns the refused logs, which are
// hidden from the server until bringBack. With accept it repairs them instead, so that they continue without what is
// lost.
func (f *folder) inspect(ctx context.Context, cfg Config, accept bool) (refused *refusals, err error) {
	if err := f.bringBack(); err != nil {
		return nil, err
	}
	ids, err := f.streams()
	if err != nil {
		return nil, err
	}
	refused = &refusals{why: map[logID]error{}}
	for _, id := range ids {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		why, err := f.inspectLog(ctx, id, cfg, accept)
		if err == nil && why != nil {
			refused.why[id] = why // reported by Log
			err = f.putAway(id)
		}
		if err != nil {
			return nil, fmt.Errorf("log %v: %w", id, err)
		}
	}
	return refused, nil
}

// streams returns the logs that have their own folders.
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
	accept = accept || i.witness.Lost // otherwise the end of a process has interrupted it
	if why, err = i.verdict(ctx, accept); err != nil {
		return nil, err
	}
	switch torn := i.files.torn; {
	case why == nil && torn != nil:
		cfg.Logger.Info("log_end_cut", "log", id.String(), "after", i.files.lastMessage(),
			"bytes", torn.size, "file", blockPath(i.files.dir, torn.number))
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

// endPurge completes the interrupted removal of all messages of a log, as the server would: what is left is in a folder
// beside the files.
func (f *folder) endPurge(id logID) error {
	left := filepath.Join(f.streamDir(id), "__new_msgs__")
	numbers, err := blockNumbers(left)
	if err != nil || len(numbers) == 0 {
		return err
	}
	dir := f.messagesDir(id)
	return errors.Join(os.RemoveAll(dir), os.Rename(left, dir))
}

// inspection is what is known about one log.
type inspection struct {
	folder     *folder
	id         logID
	sync       bool
	boot       string
	witness    witness
	unreadable error // why the witness is unknown
	stream     string
	metaLost   bool // the description of the stream cannot be read
	snapshots  []uint64
	snapshot   uint64 // the newest: by its name, or the newest good one
	files      *survey
	short      bool // the log ends before a position that it had reached
}

// verdict returns the reason to refuse the log, ErrDamaged or ErrLost; nil if it appears complete. all allows it to
// read all files.
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
		return fmt.Errorf("%w: what stream it is cannot be read (meta.inf and meta.sum in %s)",
			ErrDamaged, i.folder.streamDir(i.id)), nil
	case damaged != nil:
		return damaged, nil
	case i.short:
		return endLost(i.id, i.files.end(), known, i.snapshot), nil
	case all && i.snapshot == 0 && i.files.end() == 0 && len(i.snapshots) > 0:
		return fmt.Errorf("%w: there is no good one", ErrBadSnapshot), nil
	case all && i.files.through(i.snapshot) < i.files.end():
		return fmt.Errorf("%w: what follows position %d is not there, and there is no good snapshot of a later one",
			ErrPosition, i.snapshot), nil
	}
	return nil, nil
}

// survey reads the files: all of them if the server would, because its index does not describe them.
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

// known returns the highest position that the log has certainly reached on the disk. Without Sync, what only the
// operating system has counts if the machine has not been restarted since.
func (i *inspection) known() uint64 {
	w, s := i.witness, i.folder.readSeen(i.id)
	if w.Lost || w.Stream != i.stream && !i.metaLost {
		return 0 // accepted; or the witness of another stream, which opening the log reports
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

// noteLost makes a log continue after positions that a loss of power has removed from its end, so that they are not
// reused.
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

package replication

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// survey is the content of a log's files. It is made before the embedded server opens them, because the server silently
// truncates a file after the first record that it cannot read. It trusts no length beyond the data.
type survey struct {
	id      logID
	dir     string  // of the files
	numbers []int   // of the files, rising
	pieces  []piece // in order; of the last files only, unless all were read
	all     bool    // all files were read
	torn    *place  // where the last file was cut off: the rest of a record there was never acknowledged
	damaged []place // in order, parts that cannot be read though they were complete once
}

// place is a place in the files.
type place struct {
	number int    // of the file
	at     int    // byte
	size   int    // bytes from there to the end of the file
	found  uint64 // the next readable position after it; 0: none in the file
	why    error  // why the file cannot be read at all
}

// piece is a run of consecutive undamaged records in a file.
type piece struct {
	number     int    // of the file
	begin, end int    // bytes
	follows    uint64 // the position before the first message
	from, to   uint64 // positions of the first and the last message; 0 if there is none
	noted      uint64 // the highest position in a record that is not a message
}

// surveyLog surveys the files of a log: all of them, or the last ones, which show where it ends. It returns the cause
// if ctx ends first.
func (f *folder) surveyLog(ctx context.Context, id logID, all bool) (*survey, error) {
	s := &survey{id: id, dir: f.messagesDir(id), all: all}
	var err error
	if s.numbers, err = blockNumbers(s.dir); err != nil {
		return nil, err
	}
	for i := len(s.numbers) - 1; i >= 0 && (all || s.lastMessage() == 0); i-- {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		s.pieces = append(s.read(s.numbers[i], i == len(s.numbers)-1), s.pieces...)
	}
	return s, nil
}

// read returns the pieces of a file, and records what cannot be read. Files are read backwards.
func (s *survey) read(number int, last bool) []piece {
	f, err := readBlock(s.dir, s.id, number)
	if err != nil {
		s.damaged = append([]place{{number: number, why: err}}, s.damaged...)
		return nil
	}
	pieces, damaged := f.scan()
	if n := len(damaged) - 1; last && n >= 0 && damaged[n].found == 0 && f.cutOff(damaged[n].at, to(pieces)) {
		s.torn, damaged = &damaged[n], damaged[:n]
	}
	s.damaged = append(damaged, s.damaged...)
	return pieces
}

// scan returns the pieces of a file, and the places between and after them.
func (f *blockFile) scan() (pieces []piece, damaged []place) {
	for at := 0; at < len(f.content); {
		var p piece
		if p, at = f.piece(at); p.end > p.begin {
			pieces = append(pieces, p)
			continue
		}
		bad := place{number: f.number, at: at, size: len(f.content) - at}
		var r blockRecord
		r, at = f.find(at + 1)
		bad.found = r.position
		damaged = append(damaged, bad)
	}
	return pieces, damaged
}

// piece returns the consecutive records from an offset on, and where they end.
func (f *blockFile) piece(at int) (piece, int) {
	p := piece{number: f.number, begin: at, end: at}
	for p.end < len(f.content) {
		r, ok := f.record(p.end)
		if !ok {
			break
		}
		switch {
		case !r.message:
			p.noted = max(p.noted, r.position)
		case p.from == 0:
			p.from, p.to, p.follows = r.position, r.position, r.follows
		case r.position == p.to+1, r.follows == p.to:
			p.to = r.position
		case r.position > p.to:
			return p, p.end // something is missing in between
		}
		p.end += r.size
	}
	return p, p.end
}

// joins reports whether the first message of a piece follows a position.
func (p piece) joins(last uint64) bool { return p.from <= last+1 || p.follows == last }

// fault returns ErrDamaged, naming what cannot be read or is missing. It ignores files without messages after a known
// position.
func (s *survey) fault(known uint64) error {
	for _, d := range s.damaged {
		if s.concerns(d, known) {
			if d.why != nil {
				return fmt.Errorf("%w: position %d cannot be read: %w", ErrDamaged, s.before(d)+1, d.why)
			}
			then := "nothing after it can"
			if d.found > 0 {
				then = fmt.Sprintf("position %d can", d.found)
			}
			return fmt.Errorf("%w: position %d cannot be read (byte %d of %s), and %s",
				ErrDamaged, s.before(d)+1, d.at, blockPath(s.dir, d.number), then)
		}
	}
	last := uint64(0)
	for _, p := range s.pieces {
		if p.from == 0 {
			continue
		}
		if last > 0 && !p.joins(last) && p.from > known+1 {
			return fmt.Errorf("%w: position %d is missing before byte %d of %s",
				ErrDamaged, last+1, p.begin, blockPath(s.dir, p.number))
		}
		last = max(last, p.to)
	}
	return nil
}

// concerns reports whether the file of a place has messages after a position. The embedded server removes everything
// after the place.
func (s *survey) concerns(at place, known uint64) bool {
	in, next := uint64(0), uint64(0)
	for _, p := range s.pieces {
		if p.number == at.number {
			in = max(in, p.to)
		}
		if p.number > at.number && next == 0 {
			next = p.from
		}
	}
	return in > known || in == 0 && (next == 0 || next > known+1)
}

// before returns the position of the last message before a place.
func (s *survey) before(at place) (last uint64) {
	for _, p := range s.pieces {
		if p.number < at.number || p.number == at.number && p.end <= at.at {
			last = max(last, p.to)
		}
	}
	if last == 0 && at.found > 1 {
		last = at.found - 2 // positions have no gaps, so the one before found cannot be read
	}
	return last
}

// lastMessage returns the position of the last message; 0 if none was found.
func (s *survey) lastMessage() uint64 { return to(s.pieces) }

func to(pieces []piece) (last uint64) {
	for _, p := range pieces {
		last = max(last, p.to)
	}
	return last
}

// end returns the position of the last message, or the server's note of the position that a log without messages has
// reached.
func (s *survey) end() uint64 {
	if last := s.lastMessage(); last > 0 {
		return last
	}
	return s.reached()
}

// reached returns the highest position in the files, including the server's notes.
func (s *survey) reached() (position uint64) {
	for _, p := range s.pieces {
		position = max(position, p.to, p.noted)
	}
	return position
}

// through returns the position up to which the log can be read from a position on, without a gap: at least that
// position.
func (s *survey) through(position uint64) uint64 {
	for _, p := range s.pieces {
		if p.from > 0 && p.to > position && p.joins(position) {
			position = p.to
		}
	}
	return position
}

// cut removes the rest of a record that was not acknowledged.
func (s *survey) cut() error {
	f, err := os.OpenFile(blockPath(s.dir, s.torn.number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(int64(s.torn.at)), f.Sync(), f.Close())
}

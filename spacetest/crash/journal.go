package crash

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gospaces/gospaces/spacetest/history"
)

// note is a line of a journal: the start of a call, its outcome, or an event of a listener.
type note struct {
	ID   int         `json:"id,omitempty"` // of a call: the second note with the same ID has its outcome
	Call *history.Op `json:"call,omitempty"`
	Told *told       `json:"told,omitempty"`
}

// told is an event of a listener.
type told struct {
	Registration int           `json:"reg"`
	Registered   time.Duration `json:"at,omitempty"` // in the first note of a registration: when it was made
	Seq          uint64        `json:"seq"`          // of the event; in the first note, the number before the first event
	N            int           `json:"n,omitempty"`  // of the job
	Missed       uint64        `json:"missed,omitempty"`
	Ended        bool          `json:"ended,omitempty"` // the lease of the registration has ended
}

// journal is a client's record of its calls. A call is noted before it is made: if the client is killed, only the
// outcomes of calls in progress are missing. Its methods may be called concurrently.
type journal struct {
	clock  func() time.Duration
	client int // unique in the campaign

	mu   sync.Mutex
	file io.Writer // guarded by mu
	last int       // guarded by mu
	err  error     // guarded by mu
}

// do makes a call and notes it. call sets the outcome and the results of op.
func (j *journal) do(op history.Op, call func(*history.Op)) {
	op.Client, op.Call = j.client, j.clock()
	id := j.begin(&op)
	call(&op)
	op.Return = j.clock()
	j.write(note{ID: id, Call: &op})
}

func (j *journal) begin(op *history.Op) int {
	j.mu.Lock()
	j.last++
	id := j.last
	j.mu.Unlock()
	j.write(note{ID: id, Call: op})
	return id
}

// write writes a whole line at once, so that it survives the end of this process.
func (j *journal) write(n note) {
	line, err := json.Marshal(n)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil && j.err == nil {
		j.err = err
	}
}

func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// noted is the content of a journal.
type noted struct {
	calls []history.Op
	told  []told
}

// readJournal reads the journal of a client that ended by the given time: calls without an outcome may or may not have
// taken effect.
func readJournal(path string, ended time.Duration) (*noted, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := parseJournal(f, ended)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func parseJournal(in io.Reader, ended time.Duration) (*noted, error) {
	r, at := &noted{}, map[int]int{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // an incomplete line was not written completely, so its call was not made
			break
		}
		var n note
		if err := json.Unmarshal(line, &n); err != nil {
			return nil, err
		}
		if n.Told != nil {
			r.told = append(r.told, *n.Told)
			continue
		}
		if i, begun := at[n.ID]; begun {
			r.calls[i] = *n.Call
			continue
		}
		at[n.ID] = len(r.calls)
		r.calls = append(r.calls, *n.Call)
	}
	for i := range r.calls {
		if o := &r.calls[i]; o.Outcome == "" {
			o.Outcome, o.Return = history.Unknown, ended
		}
	}
	return r, nil
}

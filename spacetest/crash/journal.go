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

// note is a line of a journal: that a call begins, what came of it, or what a listener was told.
type note struct {
	ID   int         `json:"id,omitempty"` // of a call: its second note has its outcome
	Call *history.Op `json:"call,omitempty"`
	Told *told       `json:"told,omitempty"`
}

// told is something that a listener was told.
type told struct {
	Registration int           `json:"reg"`
	Registered   time.Duration `json:"at,omitempty"` // the first note of a registration: when it was made
	Seq          uint64        `json:"seq"`          // of the event; in the first note, after which the events come
	N            int           `json:"n,omitempty"`  // of the job
	Missed       uint64        `json:"missed,omitempty"`
	Ended        bool          `json:"ended,omitempty"` // the lease of the registration is over
}

// journal is the record that a client keeps of its calls. A call is noted before it is made: when the client is killed, at worst the outcomes of the calls that were under
// way are missing. Its methods may be called concurrently.
type journal struct {
	clock  func() time.Duration
	client int // distinguishes it from all others of the campaign

	mu   sync.Mutex
	file io.Writer // guarded by mu
	last int       // guarded by mu
	err  error     // guarded by mu
}

// do makes a call and notes it. call completes op with the outcome and what was returned.
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

// write writes a whole line at once: what is written is there, whatever happens to this process.
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

// noted is what a journal says.
type noted struct {
	calls []history.Op
	told  []told
}

// readJournal reads the journal of a client that has ended by then: calls without an outcome may have happened or not.
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
		if err != nil { // what has no end was not written completely, and the call not made
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

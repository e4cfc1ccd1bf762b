package client

import (
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// view is one session's knowledge of one space. It is gone with the session, and when the log of the space has failed:
// afterwards kinds may have other numbers.
type view struct {
	part *part
	// when it began, among those of the link; it ends with the session, or when the server resets the space
	epoch       uint64
	resets      uint64 // of the handle in this session; an Open tells the server how many the client has seen
	open        bool
	incarnation string // as told by open
	ids         map[string]call.KindID
	schemas     []*template.Schema // by kind; replaced, never changed, since calls refer to it
}

// reset marks the space as not open, and attaches its registrations again.
func (l *link) reset(handle uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.session.reset(handle); s != nil {
		l.life.start(func() { l.reattach(s) })
		l.reopenLocked()
	}
}

// learn notes the schema of a kind.
func (v *view) learn(id call.KindID, schema *template.Schema) {
	if v.ids == nil {
		v.ids = map[string]call.KindID{}
	}
	if id > v.ids[schema.Kind] { // a lower number belongs to a dropped kind
		v.ids[schema.Kind] = id
	}
	switch n := len(v.schemas); {
	case int(id) >= n: // appending does not change what calls refer to
		v.schemas = append(append(v.schemas, make([]*template.Schema, int(id)-n)...), schema)
	case v.schemas[id] != schema:
		v.schemas = slices.Clone(v.schemas)
		v.schemas[id] = schema
	}
}

// unlearn records that a kind was dropped, and returns its schema; nil if it was not known. Entries and events of it
// may still come.
func (v *view) unlearn(id call.KindID) *template.Schema {
	if int(id) >= len(v.schemas) || v.schemas[id] == nil {
		return nil
	}
	schema := v.schemas[id]
	if v.ids[schema.Kind] == id {
		delete(v.ids, schema.Kind)
	}
	return schema
}

// kindFor returns the number of the named kind, for rows made for a schema, nil for the one that it has now. It returns
// a *missingKindError if the session does not know the kind, or another schema of it unless c was resolved for the kind
// just now: then rows mean something else, and it returns ErrSchemaConflict.
func (v *view) kindFor(c *pendingCall, kind string, made *template.Schema) (call.KindID, error) {
	id := v.ids[kind]
	switch {
	case id == 0:
		return 0, &missingKindError{kind}
	case made == nil, made == v.schemas[id], v.schemas[id].Extends(made):
		return id, nil
	case c.resolved != kind:
		return 0, &missingKindError{kind}
	}
	return 0, fmt.Errorf("%w: the row was made for another schema of kind %q", space.ErrSchemaConflict, kind)
}

package client

import (
	"slices"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/template"
)

// view is what one session knows of one space. It is gone with the session: the next server may number kinds otherwise.
type view struct {
	space       *Space
	open        bool
	incarnation string // what open told
	ids         map[string]engine.KindID
	schemas     []*template.Schema // by kind; replaced, never changed, since calls refer to it
}

// viewLocked returns what the session knows of s.
func (l *link) viewLocked(s *Space) *view {
	for uint64(len(l.views)) <= s.handle {
		l.views = append(l.views, view{})
	}
	v := &l.views[s.handle]
	v.space = s
	return v
}

// learn notes the schema of a kind.
func (v *view) learn(id engine.KindID, schema *template.Schema) {
	if v.ids == nil {
		v.ids = map[string]engine.KindID{}
	}
	v.ids[schema.Kind] = id
	switch n := len(v.schemas); {
	case int(id) >= n: // appending changes nothing of what calls refer to
		v.schemas = append(append(v.schemas, make([]*template.Schema, int(id)-n)...), schema)
	case v.schemas[id] != schema:
		v.schemas = slices.Clone(v.schemas)
		v.schemas[id] = schema
	}
}

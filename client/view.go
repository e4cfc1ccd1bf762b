package client

import (
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

// maxKinds bounds the numbers of kinds that a server may announce.
const maxKinds = 1 << 20

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
	schemas := make([]*template.Schema, max(len(v.schemas), int(id)+1))
	copy(schemas, v.schemas)
	schemas[id] = schema
	v.schemas = schemas
}

package space

import (
	"context"
	"reflect"

	"github.com/gospaces/gospaces/template"
)

// Match compiles Go templates into a Query for the untyped methods of Space, which can return entries of several kinds:
// an entry matches if one of the templates does. Each is a struct or a pointer to one, whose fields that are not zero
// must be equal; nil matches every entry of every kind. The caller sets the rest of the query.
func Match(ctx context.Context, sp Space, templates ...any) (Query, error) {
	if len(templates) == 0 {
		return Query{}, invalid("there is no template to match")
	}
	q := Query{Templates: make([]*template.Template, len(templates))}
	for i, v := range templates {
		if v == nil {
			q.Templates[i] = new(template.Template)
			continue
		}
		p := part{goType: reflect.TypeOf(v), value: v}
		var err error
		if q.Templates[i], err = p.compile(ctx, sp); err != nil {
			return Query{}, err
		}
	}
	return q, nil
}

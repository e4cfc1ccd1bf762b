package template

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// tag is a parsed `space:"name,option,…"`.
type tag struct {
	name string // empty: none given
	role Role
	skip bool // "-"
}

func parseTag(f reflect.StructField) (tag, error) {
	text, ok := f.Tag.Lookup("space")
	if !ok {
		return tag{}, nil
	}
	if text == "-" {
		return tag{skip: true}, nil
	}
	name, options, _ := strings.Cut(text, ",")
	t := tag{name: name}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "id":
			t.role |= ID
		case "route":
			t.role |= Route
		default:
			return tag{}, fmt.Errorf("unknown option %q in its tag", option)
		}
	}
	return t, nil
}

// snakeCase turns a Go name into a name for SQL: HTTPServerID becomes http_server_id.
func snakeCase(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && runes[i-1] != '_' {
			endsWord := !unicode.IsUpper(runes[i-1])
			beginsWord := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if endsWord || beginsWord {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// kindOf returns the kind of t: the result of its Kind method, or else its name. Go promotes the Kind method of an
// embedded type, so a type that answers with the kind of one of its supers did not declare the method itself.
func kindOf(t reflect.Type, supers []*Schema) (string, error) {
	if k, ok := reflect.New(t).Interface().(interface{ Kind() string }); ok {
		if kind := k.Kind(); !hasKind(supers, kind) {
			return kind, nil
		}
	}
	switch name := t.Name(); {
	case name == "":
		return "", fmt.Errorf("template: type %s has no name to be a kind", t)
	case strings.Contains(name, "["):
		// The name of an instance holds package paths, and a stored kind must not depend on these.
		return "", fmt.Errorf("template: generic type %s needs a Kind method", t)
	default:
		return snakeCase(name), nil
	}
}

func hasKind(schemas []*Schema, kind string) bool {
	for _, s := range schemas {
		if s.Kind == kind {
			return true
		}
	}
	return false
}

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
)

func TestParseWhere(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]comparison{
		`priority>=5`:              {"priority", template.Ge, []string{"5"}},
		`priority > 5`:             {"priority", template.Gt, []string{"5"}},
		` priority < -5 `:          {"priority", template.Lt, []string{"-5"}},
		`priority<=5.5`:            {"priority", template.Le, []string{"5.5"}},
		`state=new`:                {"state", template.Eq, []string{"new"}},
		`state = two words`:        {"state", template.Eq, []string{"two words"}},
		`state = "two, \"words\""`: {"state", template.Eq, []string{`two, "words"`}},
		`state = ""`:               {"state", template.Eq, []string{""}},
		`state = "= x"`:            {"state", template.Eq, []string{"= x"}},
		`state!=new`:               {"state", template.Ne, []string{"new"}},
		`name^=job-`:               {"name", template.Prefix, []string{"job-"}},
		`state in (new, "a, b")`:   {"state", template.In, []string{"new", "a, b"}},
		`n IN(1,2,3)`:              {"n", template.In, []string{"1", "2", "3"}},
		`owner is null`:            {"owner", template.IsNull, nil},
		`owner IS  NOT  NULL`:      {"owner", template.NotNull, nil},
		`größe = 1`:                {"größe", template.Eq, []string{"1"}},
		`is is null`:               {"is", template.IsNull, nil},
	} {
		got, err := parseWhere(expr)
		require.NoError(t, err, expr)
		require.Equal(t, want, got, expr)
	}
}

func TestParseWhere_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		``:                  "starts with no field name",
		`>= 5`:              "starts with no field name",
		`priority`:          "after the field comes",
		`priority 5`:        "after the field comes",
		`priority =`:        "a value is missing",
		`state == x`:        "quote a value that begins with =",
		`state in new`:      "a list in parentheses",
		`state in (new`:     "a closing parenthesis",
		`state in ()`:       "a value is missing",
		`state in (a) b`:    "unexpected",
		`state = "a" b`:     "unexpected",
		`state = "a`:        "not a quoted string",
		`owner is nothing`:  "after the field comes",
		`owner is null too`: "unexpected",
		"state = \xff":      "not UTF-8",
	} {
		_, err := parseWhere(expr)
		require.ErrorContains(t, err, want, expr)
	}
}

// FuzzParseWhere checks that an accepted expression means the same when it is written again with every operand quoted.
func FuzzParseWhere(f *testing.F) {
	f.Add(`priority>=5`)
	f.Add(`state in (new, "a, b")`)
	f.Add(`owner is not null`)
	f.Add(`name ^= "job "`)
	f.Fuzz(func(t *testing.T, expr string) {
		c, err := parseWhere(expr)
		if err != nil {
			return
		}
		again, err := parseWhere(c.String())
		require.NoError(t, err, c.String())
		require.Equal(t, c, again, c.String())
	})
}

// String writes c as an expression that parses to c again.
func (c comparison) String() string {
	quoted := make([]string, len(c.operands))
	for i, v := range c.operands {
		b, _ := json.Marshal(v)
		quoted[i] = string(b)
	}
	switch c.op {
	case template.IsNull:
		return c.field + " is null"
	case template.NotNull:
		return c.field + " is not null"
	case template.In:
		return c.field + " in (" + strings.Join(quoted, ", ") + ")"
	}
	for _, s := range symbols {
		if s.op == c.op {
			return c.field + " " + s.text + " " + quoted[0]
		}
	}
	return c.field + " ?"
}

package space_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// sample has a field of every sort that criteria tell apart.
type sample struct {
	N     int
	Name  string
	Raw   []byte
	At    time.Time
	Price float64
	Tags  []string
	Maybe *int
}

func TestCriteria(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	seven := 7
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	write(t, sp,
		sample{N: -1, Name: "ab", Raw: []byte("ab"), At: at, Price: -0.5, Maybe: &seven},
		sample{N: 0, Name: "abc", At: at.Add(time.Hour)},
		sample{N: 5, Name: "b", Price: 2.5, Tags: []string{"x"}},
	)
	tests := map[string]struct {
		field     string
		criterion space.Criterion
		want      int
	}{
		"eq":                    {"n", space.Eq(5), 1},
		"eq zero":               {"n", space.Eq(0), 1},
		"eq of another width":   {"n", space.Eq(uint8(5)), 1},
		"eq integer as float":   {"price", space.Eq(0), 1},
		"eq list":               {"tags", space.Eq([]string{"x"}), 1},
		"ne":                    {"n", space.Ne(5), 2},
		"ne leaves out null":    {"maybe", space.Ne(8), 1},
		"lt":                    {"n", space.Lt(0), 1},
		"le":                    {"n", space.Le(0), 2},
		"gt":                    {"n", space.Gt(-1), 2},
		"ge":                    {"n", space.Ge(-1), 3},
		"gt of strings":         {"name", space.Gt("ab"), 2},
		"lt of times":           {"at", space.Lt(at.Add(time.Minute).Local()), 2},
		"between":               {"n", space.Between(-1, 0), 2},
		"between the wrong way": {"n", space.Between(0, -1), 0},
		"in":                    {"name", space.OneOf("b", "ab", "zz"), 2},
		"prefix":                {"name", space.HasPrefix("ab"), 2},
		"prefix of bytes":       {"raw", space.HasPrefix("a"), 1},
		"empty prefix":          {"name", space.HasPrefix(""), 3},
		"null":                  {"maybe", space.IsNull(), 2},
		"not null":              {"maybe", space.NotNull(), 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, count(t, sp, sample{}, space.Where(tt.field, tt.criterion)))
		})
	}
}

func TestCriteria_SeveralMustAllHold(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, sample{N: 1, Name: "a"}, sample{N: 2, Name: "a"}, sample{N: 2, Name: "b"})
	require.Equal(t, 1, count(t, sp, sample{Name: "a"}, space.Where("n", space.Ge(1)), space.Where("n", space.Ne(1))))
}

func TestCriteria_Refused(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	tests := map[string]struct {
		field     string
		criterion space.Criterion
		text      string
	}{
		"unknown field":       {"N", space.Eq(1), `kind "sample" has no field "N"`},
		"class":               {"n", space.Eq("1"), `field "n" of kind "sample"`},
		"class of a bound":    {"n", space.Between(1, "x"), `field "n"`},
		"class of an element": {"n", space.OneOf(1, 2.5), `field "n"`},
		"no elements":         {"n", space.OneOf(), "no values"},
		"null":                {"maybe", space.Eq(nil), `field "maybe"`},
		"no order":            {"tags", space.Lt([]string{"x"}), `field "tags"`},
		"no prefix":           {"n", space.HasPrefix("1"), "no prefixes"},
		"what cannot be kept": {"n", space.Eq(func() {}), `field "n"`},
		"zero criterion":      {"n", space.Criterion{}, "empty"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := space.Take(t.Context(), sp, sample{}, space.Where(tt.field, tt.criterion))
			require.ErrorIs(t, err, space.ErrInvalidArgument)
			require.ErrorContains(t, err, tt.text)
		})
	}
}

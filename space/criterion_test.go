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

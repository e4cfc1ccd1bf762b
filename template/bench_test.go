package template_test

import (
	"testing"
	"time"

	"github.com/gospaces/gospaces/template"
)

var benchJob = Job{ID: 123456, State: "ready", Priority: 5, Due: time.Unix(1_700_000_000, 5), Cost: 12.5}

func BenchmarkAppendRow(b *testing.B) {
	flat, full, all := compile[Job](b), compile[Everything](b), everything()
	var buf []byte
	b.Run("flat", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = flat.AppendRow(buf[:0], &benchJob)
		}
	})
	b.Run("nested", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = full.AppendRow(buf[:0], &all)
		}
	})
}

func BenchmarkDecodeRow(b *testing.B) {
	flat, full := compile[Job](b), compile[Everything](b)
	flatRow, fullRow := encode(b, flat, benchJob), encode(b, full, everything())
	b.Run("flat", func(b *testing.B) {
		b.ReportAllocs()
		var job Job
		for b.Loop() {
			_ = flat.DecodeRow(flatRow, &job)
		}
	})
	b.Run("nested", func(b *testing.B) {
		b.ReportAllocs()
		var all Everything
		for b.Loop() {
			_ = full.DecodeRow(fullRow, &all)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	c := compile[Job](b)
	row := encode(b, c, benchJob)
	for b.Loop() {
		_ = row.Check(c.Schema())
	}
}

func BenchmarkMatch(b *testing.B) {
	c := compile[Job](b)
	row := encode(b, c, benchJob)
	conds, _ := c.Template(Job{State: "ready", Priority: 5})
	tmpl := &template.Template{Conds: conds}
	for b.Loop() {
		tmpl.Match(row)
	}
}

func BenchmarkTemplate(b *testing.B) {
	c := compile[Job](b)
	example := &Job{State: "ready", Priority: 5}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Template(example)
	}
}

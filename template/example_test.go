package template_test

import (
	"fmt"
	"reflect"
	"time"

	"github.com/gospaces/gospaces/template"
)

type Order struct {
	Number   int    `space:"order_no,id"`
	Customer string `space:",route"`
	Total    float64
}

// Express is an Order with more fields; a template of kind "order" matches it too.
type Express struct {
	Order
	Before time.Duration
}

func ExampleCompile() {
	codec, err := template.Compile(reflect.TypeFor[Express]())
	if err != nil {
		fmt.Println(err)
		return
	}
	s := codec.Schema()
	fmt.Println(s.Kind, s.Supers)
	for _, f := range s.Fields {
		fmt.Println(f.Name, f.Class)
	}
	// Output:
	// express [order]
	// order_no int
	// customer string
	// total float
	// before duration
}

func ExampleCodec_AppendRow() {
	codec, _ := template.Compile(reflect.TypeFor[Order]())
	row, err := codec.AppendRow(nil, &Order{Number: 7, Customer: "ada", Total: 9.5})
	fmt.Println(len(row), "bytes", err)

	var o Order
	err = codec.DecodeRow(row, &o)
	fmt.Printf("%+v %v\n", o, err)
	// Output:
	// 18 bytes <nil>
	// {Number:7 Customer:ada Total:9.5} <nil>
}

func ExampleCodec_Template() {
	codec, _ := template.Compile(reflect.TypeFor[Order]())
	conds, _ := codec.Template(Order{Customer: "ada"}) // zero fields are wildcards
	field, five, _ := codec.Schema().Operand("total", 5)
	conds = append(conds, template.Cond{Field: field, Op: template.Gt, Value: five})
	t := &template.Template{Kind: "order", Conds: conds}

	for _, o := range []Order{{1, "ada", 9.5}, {2, "ada", 2.5}, {3, "bob", 9.5}} {
		row, _ := codec.AppendRow(nil, o)
		fmt.Println(o.Number, t.Match(row))
	}
	// Output:
	// 1 true
	// 2 false
	// 3 false
}

func ExampleCodec_Bind() {
	// The space has the fields in another order, and one that this program does not know.
	space := &template.Schema{Kind: "order", Fields: []template.Field{
		{Name: "total", Class: template.Float},
		{Name: "note", Class: template.String},
		{Name: "customer", Class: template.String},
		{Name: "order_no", Class: template.Int},
	}}
	row, _ := template.RowFromMap(space, map[string]any{"order_no": 7, "note": "fragile", "total": 9.5})

	codec, _ := template.Compile(reflect.TypeFor[Order]())
	bound, err := codec.Bind(space)
	if err != nil {
		fmt.Println(err)
		return
	}
	var o Order
	err = bound.DecodeRow(row, &o)
	fmt.Printf("%+v %v\n", o, err)
	// Output:
	// {Number:7 Customer: Total:9.5} <nil>
}

func ExampleParseJSON() {
	data := []byte(`{"id": 7, "name": "x", "wait": null, "load": 0.5}`)
	s, _ := template.InferSchema("task", nil, data)
	row, err := template.ParseJSON(s, data)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(template.AppendJSON(nil, s, row)))

	_, err = template.ParseJSON(s, []byte(`{"id": "seven"}`))
	fmt.Println(err)
	// Output:
	// {"id":7,"name":"x","load":0.5}
	// template: field "id" of kind "task": string seven does not fit a field of class int
}

package strictjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// A kindName is what JSON can hold, in words that fit into "must be …".
type kindName string

const (
	anyKind     kindName = ""
	stringKind  kindName = "a string"
	integerKind kindName = "a whole number"
	numberKind  kindName = "a number"
	boolKind    kindName = "true or false"
	objectKind  kindName = "an object"
	arrayKind   kindName = "an array"
	nullKind    kindName = "null"
)

// A kind is what a Go type expects of the JSON that becomes it.
type kind struct {
	is       kindName
	nullable bool
	elem     reflect.Type            // of arrays and of objects without fixed fields; nil for anything
	fields   map[string]reflect.Type // of structs
	filled   bool                    // the texts of a struct must not be empty
	bits     int                     // of integers
	unsigned bool
}

var kinds sync.Map // of kind by reflect.Type: a type's kind is worked out once

func kindOf(t reflect.Type) kind {
	if t == nil {
		return kind{}
	}
	if k, ok := kinds.Load(t); ok {
		return k.(kind)
	}
	k := inspect(t)
	kinds.Store(t, k)
	return k
}

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func inspect(t reflect.Type) kind {
	if t.Kind() == reflect.Pointer {
		k := inspect(t.Elem())
		k.nullable = true
		return k
	}
	switch p := reflect.PointerTo(t); {
	case p.Implements(unmarshaler):
		return kind{} // it judges for itself
	case p.Implements(textUnmarshaler):
		return kind{is: stringKind}
	}
	switch t.Kind() {
	case reflect.String:
		return kind{is: stringKind}
	case reflect.Bool:
		return kind{is: boolKind}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return kind{is: integerKind, bits: t.Bits()}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return kind{is: integerKind, bits: t.Bits(), unsigned: true}
	case reflect.Float32, reflect.Float64:
		return kind{is: numberKind}
	case reflect.Slice:
		return kind{is: arrayKind, elem: t.Elem(), nullable: true}
	case reflect.Array:
		return kind{is: arrayKind, elem: t.Elem()}
	case reflect.Map:
		return kind{is: objectKind, elem: t.Elem(), nullable: true}
	case reflect.Struct:
		k := kind{is: objectKind, fields: make(map[string]reflect.Type)}
		k.collect(t)
		return k
	default:
		return kind{}
	}
}

// collect adds the JSON fields of a struct, those of embedded structs included.
func (k *kind) collect(t reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Tag.Get("strict") == "filled":
			k.filled = true
		case f.Tag.Get("json") == "-":
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			k.collect(f.Type)
		case !f.IsExported():
		case name == "":
			k.fields[f.Name] = f.Type
		default:
			k.fields[name] = f.Type
		}
	}
}

// suggest names the field that was meant by a key in another case: it is the one mistake that encoding/json lets pass.
func (k kind) suggest(key string) string {
	for name := range k.fields {
		if len(key) < 64 && strings.EqualFold(name, key) {
			return `; did you mean "` + name + `"?`
		}
	}
	return ""
}

// Package strictjson decodes JSON that somebody else wrote.
package strictjson

// Error says where the JSON is not what it must be.
type Error struct{ Field, Constraint string }

func (e *Error) Error() string { return e.Field + " " + e.Constraint }

// Decode reads the one JSON value in b, of at most limit bytes, into v.
func Decode(b []byte, limit int, v any) error { panic("todo") }

// Quote quotes at most 64 bytes of s.
func Quote(s string) string { panic("todo") }

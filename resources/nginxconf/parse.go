// Package nginxconf reads and writes nginx configuration.
package nginxconf

// A Directive is one directive, with its block if it has one.
type Directive struct {
	Name  string
	Args  []string
	Block []Directive
	File  string
	Line  int
}

// Parse reads nginx configuration.
func Parse(file string, b []byte) ([]Directive, error) { panic("todo") }

// Package upstream sees where routes lead as nginx does: at the addresses that nginx's own DNS servers give for a name, with
// the trust that the generated configuration asks for. What is well here, nginx can reach.
package upstream

package codes_test

import (
	"fmt"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

func Example() {
	// A client is told by the code what was wrong, a shell first of all what became of the host.
	err := &engine.Error{Code: engine.NginxTestFailed, Outcome: engine.Undone}
	fmt.Println(codes.Status(err.Code), codes.Exit(err))
	// Output: 500 3
}

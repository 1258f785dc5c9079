package acme_test

import (
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/matryer/is"
)

func TestProblemTypesComeToReasons(t *testing.T) {
	is := is.New(t)
	for problem, want := range map[string]acme.Reason{
		"rateLimited": acme.RateLimited, "rejectedIdentifier": acme.Rejected, "caa": acme.CAA, "dns": acme.DNS,
		"unauthorized": acme.Account, "serverInternal": acme.Unreachable, "badNonce": acme.Unknown,
	} {
		is.Equal(acme.ReasonOf(problem), want) // problem
	}
}

func TestAFailureSaysWhatToDoAndThenWhatWasSaid(t *testing.T) {
	is := is.New(t)
	f := &acme.Failure{Sentence: "add a record"}
	is.Equal(f.Error(), "add a record")
	f.Detail = "NXDOMAIN"
	is.Equal(f.Error(), "add a record: NXDOMAIN")
}

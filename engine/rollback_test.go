package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/matryer/is"
)

func TestAPartialApplyIsRolledBackAsFarAsItWent(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	h := newMemoryHost(t)
	before := h.configuration()
	e := h.open(t)
	e.steps[plan.IssueCertificate] = stepFunc{plan.IssueCertificate, func(context.Context, plan.Step) error { return errors.New("the CA says no") }}
	_, err := e.Do(ctx, apply(memoryRoute(t, "a", withSSL)))
	is.Equal(OutcomeOf(err), Partial)
	entries, err := e.History()
	is.NoErr(err)
	is.Equal(entries[0].Result, EntryPartial)
	_, err = e.Do(ctx, Rollback(entries[0].ID))
	is.NoErr(err)
	is.Equal(difference(h.configuration(), before), "")
}

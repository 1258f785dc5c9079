package engine

import "github.com/fullpotential-ai/proxy-manager/plan"

// traits are what the engine knows of the steps of one kind. Those of a kind of the caller's own have none.
type traits struct {
	looks       bool // nothing is changed
	ahead       bool // it may be done before anything is written, side by side with others
	takesEffect bool // it is of those that make nginx use what is on disk: they are needed once something was changed
	obtains     bool // it gets a certificate: what depends on that can be left out
	final       bool // it can't be taken back, so it waits until the apply is done
	leavesNone  bool // nothing is left of it once the files are as they were, or what is is kept on purpose
}

// kindTraits is every kind that the engine brings.
var kindTraits = map[string]traits{
	plan.CheckHealth:       {looks: true, ahead: true, leavesNone: true},
	plan.WriteFile:         {}, // the journal does and takes back what changes a file or a link
	plan.RemoveFile:        {},
	plan.CreateSymlink:     {},
	plan.RemoveSymlink:     {},
	plan.TestConfig:        {looks: true, takesEffect: true, leavesNone: true},
	plan.Reload:            {takesEffect: true, leavesNone: true},
	plan.Verify:            {looks: true, takesEffect: true, leavesNone: true},
	plan.IssueCertificate:  {obtains: true, leavesNone: true},
	plan.RenewCertificate:  {obtains: true, leavesNone: true},
	plan.DeleteCertificate: {final: true},
}

func traitsOf(kind string) traits { return kindTraits[kind] }

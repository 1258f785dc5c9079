package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// measureTest measures "nginx -t" of the generated tree against a tree written by hand that does the same.
//
// At ten thousand routes most of it is nginx comparing the name of each upstream with those of all others, one character
// after the other: names that differ at the first one, as generated ones do, make that cheaper, but not linear.
func (b *bench) measureTest(h *host) error {
	hand, err := b.handWrittenTree(h)
	if err != nil {
		return err
	}
	defer hand.Close()
	test := func(h *host) func() (time.Duration, error) {
		return func() (time.Duration, error) { return timed(h.testConfig) }
	}
	if _, err := interleave(1, test(hand), test(h)); err != nil {
		return err
	}
	all, err := interleave(b.roundsFor(len(h.routes)), test(hand), test(h))
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("nginx -t, %d generated routes", len(h.routes)), all[1], "written by hand", all[0], "≤ 1.00")
	return nil
}

// handWrittenTree makes a host whose routes are those of another, written by hand.
func (b *bench) handWrittenTree(like *host) (*host, error) {
	lab, err := b.newLab()
	if err != nil {
		return nil, err
	}
	hand := &host{Lab: lab}
	for _, shared := range []string{"fpai-_maps.conf", "fpai-_default.conf"} {
		text, err := os.ReadFile(filepath.Join(like.SitesAvailable, shared))
		if err == nil {
			err = hand.Site(shared, string(text))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, hand.fail(err)
		}
	}
	for _, r := range like.routes {
		text, err := like.text(r)
		if err == nil {
			err = hand.Site(r.Name()+".conf", handWritten(text, r.Name(), r.Name()))
		}
		if err != nil {
			return nil, hand.fail(err)
		}
	}
	return hand, nil
}

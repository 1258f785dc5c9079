// Command custom-kind manages a kind of site that Proxy Manager does not know: a notice, which answers with one sentence. All
// there is of the kind is in notice.go. It lives in a file of its own, whose header says what it was made from, and so has
// what routes have: the plan and its diff, drift, conflicts, undo, history and rollback.
//
//	go run ./examples/custom-kind -domain old.example.com -text 'We have moved.'          shows the plan
//	go run ./examples/custom-kind -domain old.example.com -text 'We have moved.' -apply   applies it
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

func main() {
	domain := flag.String("domain", "old.example.com", "domain that answers")
	text := flag.String("text", "We have moved.", "the answer")
	apply := flag.Bool("apply", false, "apply the plan, too")
	flag.Parse()
	if err := run(context.Background(), engine.Options{}, *domain, *text, *apply); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o engine.Options, domain, text string, apply bool) error {
	eng, err := engine.Open(withNotices(o))
	if err != nil {
		return err
	}
	notice, err := NewNotice("notice", domain, text)
	if err != nil {
		return err
	}
	p, err := eng.Plan(ctx, put(notice))
	if err != nil {
		return err
	}
	fmt.Print(p)
	if !apply {
		return nil
	}
	_, err = eng.Apply(ctx, p)
	return err
}

// withNotices has an engine know the kind.
func withNotices(o engine.Options) engine.Options {
	o.Resources = map[string]engine.Decoder{noticeKind: decodeNotice}
	return o
}

// put asks for notices beside what is there.
func put(notices ...Notice) engine.Request {
	req := engine.Request{Operation: "put", KeepUnlisted: true}
	for _, n := range notices {
		req.Resources = append(req.Resources, n)
	}
	return req
}

package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

// exitChanges is the exit code of plan and drift with --detailed-exitcode when there is something to do.
const exitChanges = 2

// errChanges says that changes are planned. It is no failure, and nothing is printed for it.
var errChanges = errors.New("changes are planned")

// errCannotStart says that nginx could not start after a recovery. It was reported with what became of the host.
var errCannotStart = errors.New("nginx could not start")

// exit reports an error and returns the exit code for it.
//
// What was done is done, also if nobody could be told: that its output is lost is said on stderr, and is no failure. Of a
// command that only says something, lost output is one. A reader that has had enough, as head(1) has, knows it by itself.
func (p *program) exit(err error) int {
	lost := p.out.whyLost()
	if _, only := errors.AsType[*lostError](err); lost != nil && (err == nil || only || errors.Is(err, errChanges)) {
		if p.done {
			p.say("Warning: it is done, but not all that was to be said of it could be written: %v", lost)
			return 0
		}
		if isClosed(lost) {
			return codes.Exit(lost)
		}
		err = lost
	}
	if errors.Is(err, errChanges) {
		return exitChanges
	}
	if errors.Is(err, errCannotStart) {
		return codes.Exit(&engine.Error{Code: engine.NginxBroken})
	}
	if err != nil {
		p.report(err)
		p.reportJSON(err)
	}
	return codes.Exit(err)
}

// panicked reports a panic and returns the exit code for it. Go's own is 2, which would say that changes are planned.
func (p *program) panicked(v any) int {
	line(p.Err, "Error:", fmt.Sprintf("panic: %v", v))
	line(p.Err, "  code:   ", string(engine.Internal))
	line(p.Err, "  outcome:", "not known")
	line(p.Err, "  next:   ", "run 'proxy-manager recover': if an apply was interrupted, it brings the host in order; and report the stack below")
	_, _ = p.Err.Write(debug.Stack())
	err := &engine.Error{Code: engine.Internal, Message: fmt.Sprintf("panic: %v", v)}
	p.reportJSON(err)
	return codes.Exit(err)
}

// report says what failed, where, what became of the host and what helps.
func (p *program) report(err error) {
	w := p.Err
	label := "Error:"
	if p.colour(p.ErrTerminal) {
		label = "\x1b[31mError:\x1b[0m"
	}
	line(w, label, err.Error())
	failure, ok := errors.AsType[*engine.Error](err)
	if !ok {
		line(w, "  outcome:", engine.Untouched.String())
		return
	}
	line(w, "  code:   ", string(failure.Code))
	if step := p.failed.Load(); step != nil && step.ID == failure.Step {
		line(w, "  step:   ", step.ID+": "+step.Description)
	}
	if output, ok := failure.Details["nginx_output"].(string); ok && output != "" {
		line(w, "  nginx:  ", output)
	}
	line(w, "  outcome:", failure.Outcome.String())
	if next := nextStep(failure); next != "" {
		line(w, "  next:   ", next)
	}
}

// line writes text behind a label, each further line of it under the first, with control characters made visible.
func line(w io.Writer, label, text string) {
	for i, l := range strings.Split(strings.TrimSpace(text), "\n") {
		if i > 0 {
			label = "          "
		}
		_, _ = fmt.Fprintf(w, "%s %s\n", label, visible(strings.ReplaceAll(l, "\t", " ")))
	}
}

// nextSteps are what helps against each kind of failure, where the message does not say it by itself.
var nextSteps = map[engine.Code]string{
	engine.StalePlan:         "look at a new plan, and apply that",
	engine.NginxTestFailed:   "nginx goes on serving what it served; mend what nginx complains about and try again",
	engine.NginxReloadFailed: "nginx goes on serving what it served; if a port is in use, 'ss -ltnp' shows by whom",
	engine.DomainConflict:    "remove the domain from one of the two; a site that was written by hand can be taken over with 'proxy-manager adopt FILE --as NAME'",
	engine.SSLIssuanceFailed: "the route answers over HTTP meanwhile; mend the cause, then run 'proxy-manager ssl NAME'",
	engine.SSLRateLimited:    "wait as long as the CA asks for, then run 'proxy-manager ssl NAME'",
}

func nextStep(failure *engine.Error) string {
	if _, foreign := failure.Details["step_kinds"]; foreign {
		return "run the recovery of the program that the message names: it knows those steps, and this one does not"
	}
	if failure.Outcome == engine.NeedsRecovery {
		return "run 'proxy-manager recover'; it goes on where this stopped"
	}
	if next := againstCause(failure); next != "" {
		return next
	}
	return nextSteps[failure.Code]
}

// againstCause is what helps against what the system said, where it said something that people can mend.
func againstCause(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run it as " + owner(err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room on the disk, and try again"
	case errors.Is(err, syscall.EROFS):
		return "the file system can't be written: mount it so that it can"
	}
	return ""
}

// owner names who may do what was denied: the owner of what is in the way.
func owner(err error) string {
	denied, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return "root"
	}
	for path := denied.Path; filepath.IsAbs(path) && path != "/"; path = filepath.Dir(path) {
		info, err := os.Lstat(path)
		if err != nil {
			continue // below what is in the way
		}
		uid := info.Sys().(*syscall.Stat_t).Uid
		if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
			return u.Username
		}
		return fmt.Sprintf("user %d", uid)
	}
	return "root"
}

// errorFacts are an error as it is told in JSON, here and over HTTP.
type errorFacts struct {
	Code    engine.Code    `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details"`
}

func factsOf(err error) errorFacts {
	facts := errorFacts{engine.CodeOf(err), err.Error(), map[string]any{}}
	if failure, ok := errors.AsType[*engine.Error](err); ok {
		maps.Copy(facts.Details, failure.Details)
		if failure.Step != "" {
			facts.Details["step"] = failure.Step
		}
		if failure.Outcome != engine.Untouched {
			facts.Details["outcome"] = failure.Outcome.String()
		}
	}
	return facts
}

// reportJSON says on stdout what failed, where JSON is what is read there.
func (p *program) reportJSON(err error) {
	switch {
	case !p.json || p.answered:
	case p.lines != nil:
		_ = p.lines.write(errorLineOf(err))
	default:
		_ = p.printJSON(map[string]errorFacts{"error": factsOf(err)})
	}
}

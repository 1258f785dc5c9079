// Package plan describes changes to a host before they happen.
//
// A [Plan] is data: an ordered list of [Step] values, each with the text that it will change as a unified diff, and the
// fingerprints of everything that was read to arrive at them. It can be printed, saved, reviewed and sent to another
// machine. Nothing in this package reads or writes the host, and nothing in it knows the time: package engine plans
// and applies.
package plan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// FormatVersion is the version of the JSON form of a [Plan]. A plan of another major version is refused.
const FormatVersion = "1.0"

// The kinds of step that the engine brings. Others can be registered with it.
const (
	CheckHealth       = "check_health"
	WriteFile         = "write_file"
	RemoveFile        = "remove_file"
	CreateSymlink     = "create_symlink"
	RemoveSymlink     = "remove_symlink"
	IssueCertificate  = "issue_certificate"
	RenewCertificate  = "renew_certificate"
	DeleteCertificate = "delete_certificate"
	TestConfig        = "test_config"
	Reload            = "reload"
	Verify            = "verify"
)

// An Action is what happens to one resource.
type Action string

const (
	Create    Action = "create"
	Update    Action = "update"
	Delete    Action = "delete"
	Unchanged Action = "unchanged"
)

// A Plan is what has to be done to make a host match what was asked for.
type Plan struct {
	FormatVersion string `json:"format_version"`
	// ID is the SHA-256 of everything else in the plan but the warnings, so that two plans with the same ID do the same.
	ID          string `json:"id"`
	ToolVersion string `json:"tool_version"`
	// Operation is the command that asked: apply, destroy, put, delete, renew, rollback, ...
	Operation string `json:"operation"`
	// Request is what was asked for. Applying a saved plan computes it again from this and goes on only if
	// the result is the same, so that nothing in a plan's file is ever executed on trust.
	Request json.RawMessage `json:"request"`
	Summary Summary         `json:"summary"`
	Changes []Change        `json:"changes"`
	Steps   []Step          `json:"steps"`
	// Fingerprints are of all that was read, in order of path. A plan is stale once one of them differs.
	Fingerprints []Fingerprint `json:"fingerprints"`
	Warnings     []string      `json:"warnings,omitempty"`
}

// A Summary counts resources by what happens to them. Drifted ones, edited behind the program's back, are among the
// updates too.
type Summary struct {
	Create    int `json:"create"`
	Update    int `json:"update"`
	Delete    int `json:"delete"`
	Unchanged int `json:"unchanged"`
	Drifted   int `json:"drifted"`
}

// A Change is what happens to one resource, and why.
type Change struct {
	// Address names the resource by type and name, such as "route.orchestrator".
	Address string `json:"address"`
	Action  Action `json:"action"`
	Reason  string `json:"reason"`
	Drifted bool   `json:"drifted,omitempty"`
}

// A Step is one action on the host.
type Step struct {
	// ID is unique within the plan and stands for the step in events and errors.
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Address is the resource the step works for; empty for one that serves several, such as a reload.
	Address     string `json:"address,omitempty"`
	Path        string `json:"path,omitempty"`
	Description string `json:"description"`
	// Diff is a unified diff of the file at Path that patch -p1 accepts, run from the root directory.
	Diff string `json:"diff,omitempty"`
	// DependsOn names steps without which this one is left out: HTTPS waits for its certificate.
	DependsOn []string `json:"depends_on,omitempty"`
	// Undo says what taking the step back does.
	Undo string `json:"undo"`
	// Spec holds what the step's kind needs to know beyond the fields above. Its form is the kind's own.
	Spec json.RawMessage `json:"spec,omitempty"`
}

// A State is what a path holds: nothing, a regular file or a symbolic link. The zero value is nothing.
type State struct {
	// Mode is the type and permission bits: fs.ModeSymlink for a link, 0 for nothing.
	Mode fs.FileMode
	// Content is a file's bytes.
	Content []byte
	// Target is a link's.
	Target string
	// UID and GID own a file. For a state that is wanted, -1 leaves the owner as it is or as the system gives it.
	UID, GID int
	// Exists is false where there is nothing.
	Exists bool
}

// File returns the state of a regular file that is wanted.
func File(content []byte, perm fs.FileMode) *State {
	return &State{Exists: true, Mode: perm.Perm(), Content: content, UID: -1, GID: -1}
}

// Link returns the state of a symbolic link that is wanted.
func Link(target string) *State {
	return &State{Exists: true, Mode: fs.ModeSymlink, Target: target, UID: -1, GID: -1}
}

// IsLink reports whether the path holds a symbolic link.
func (s *State) IsLink() bool { return s.Exists && s.Mode&fs.ModeSymlink != 0 }

// String describes the state in one line, without its content: the form that [Fingerprint] holds.
func (s *State) String() string {
	switch {
	case s == nil || !s.Exists:
		return "absent"
	case s.IsLink():
		return "symlink to " + s.Target
	default:
		return fmt.Sprintf("file %04o sha256:%s", s.Mode.Perm(), Hash(s.Content))
	}
}

// Hash returns the SHA-256 of b in hexadecimal.
func Hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A Fingerprint is what was seen at a path while planning, in a form that differs whenever the thing does:
// "absent", "file 0644 sha256:…", "symlink to …", "directory", "directory sha256:…" (of the names in it).
type Fingerprint struct {
	Path  string `json:"path"`
	State string `json:"state"`
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// Seal brings the plan into the form that [Parse] returns and sets its ID. The planner calls it last.
func (p *Plan) Seal() error {
	if err := p.settle(); err != nil {
		return err
	}
	p.ID = p.digest()
	return nil
}

// settle leaves one form of what JSON can say in several: an empty list is no nil, and raw JSON has no spaces. So a plan that
// was saved is the same as a fresh one.
func (p *Plan) settle() (err error) {
	p.Changes, p.Steps, p.Fingerprints = orEmpty(p.Changes), orEmpty(p.Steps), orEmpty(p.Fingerprints)
	if p.Request, err = compact(p.Request); err != nil {
		return fmt.Errorf("the plan's request is no JSON: %w", err)
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Spec, err = compact(s.Spec); err != nil {
			return fmt.Errorf("the spec of step %.80q is no JSON: %w", s.ID, err)
		}
	}
	return nil
}

// compact returns the one form of a JSON text: without spaces, and with <, > and & escaped, as some encoders do and some do
// not. What says nothing is nil.
func compact(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	var plain, b bytes.Buffer
	if err := json.Compact(&plain, raw); err != nil {
		return nil, err
	}
	json.HTMLEscape(&b, plain.Bytes())
	return b.Bytes(), nil
}

// digest hashes a settled plan field by field, each behind its length.
func (p *Plan) digest() string {
	hash := sha256.New()
	d := digester{bufio.NewWriter(hash)}
	d.text(p.FormatVersion, p.ToolVersion, p.Operation)
	d.bytes(p.Request)
	s := p.Summary
	d.number(s.Create, s.Update, s.Delete, s.Unchanged, s.Drifted, len(p.Changes))
	for _, c := range p.Changes {
		d.text(c.Address, string(c.Action), c.Reason, fmt.Sprint(c.Drifted))
	}
	d.number(len(p.Steps))
	for _, s := range p.Steps {
		d.text(s.ID, s.Kind, s.Address, s.Path, s.Description, s.Diff, s.Undo)
		d.number(len(s.DependsOn))
		d.text(s.DependsOn...)
		d.bytes(s.Spec)
	}
	for _, f := range p.Fingerprints {
		d.text(f.Path, f.State)
	}
	_ = d.Flush() // a hash never fails
	return hex.EncodeToString(hash.Sum(nil))
}

// A digester feeds a hash in such a way that no two plans give it the same bytes.
type digester struct{ *bufio.Writer }

func (d digester) number(ns ...int) {
	for _, n := range ns {
		_, _ = d.Write(binary.BigEndian.AppendUint64(d.AvailableBuffer(), uint64(n)))
	}
}

func (d digester) text(ss ...string) {
	for _, s := range ss {
		if !utf8.ValidString(s) {
			// As JSON will carry it: each byte that is not UTF-8 becomes U+FFFD.
			s = strings.Map(func(r rune) rune { return r }, s)
		}
		d.number(len(s))
		_, _ = d.WriteString(s)
	}
}

func (d digester) bytes(b []byte) {
	d.number(len(b))
	_, _ = d.Write(b)
}

// ErrDamaged is in the chain of [Parse]'s error when a plan's text does not fit its ID: it was cut short or edited.
var ErrDamaged = errors.New("the plan's text does not fit its id: it was cut short or edited")

// Parse reads a saved plan and checks that it is whole and of a version that is understood.
func Parse(b []byte) (*Plan, error) {
	var p Plan
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("not a plan: %w", err)
	}
	if p.FormatVersion != FormatVersion {
		return nil, fmt.Errorf("a plan of format_version %.20q; this program reads %q: plan again", p.FormatVersion, FormatVersion)
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	if p.digest() != p.ID {
		return nil, ErrDamaged
	}
	return &p, nil
}

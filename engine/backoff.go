package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// A CA counts failures, by name and account, and shuts out whoever goes on failing: Let's Encrypt allows five an hour,
// refilled by one every twelve minutes, and pauses a name for good after 1,152 in a row. So every failure is remembered
// across restarts, and the pauses grow as Let's Encrypt asks in its integration guide.
var pauses = [...]time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour}

// refill is how long a CA takes to forget one failure. A person who has mended what was wrong and insists waits no
// longer than that.
const refill = 12 * time.Minute

// An attempt is what is remembered of a certificate that could not be had.
type attempt struct {
	Failures int       `json:"failures"` // in a row
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`
	Error    string    `json:"error"`
	// Next is when the program tries again by itself.
	Next time.Time `json:"next"`
	// Until is when the CA is ready to be asked again, by its own word; nobody's insisting brings that forward.
	Until time.Time `json:"until,omitzero"`
	// Asked: the CA was asked. What failed before that cost nothing, so anybody may try again at once.
	Asked bool `json:"asked"`
}

// failed returns what is to be remembered once an attempt has failed again.
func (a attempt) failed(now time.Time, name string, f *obtainError) attempt {
	next := attempt{
		Failures: a.Failures + 1, At: now, Reason: f.Reason, Error: f.Error(), Until: f.RetryAt, Asked: f.asked(),
	}
	if a.Until.After(next.Until) {
		next.Until = a.Until
	}
	next.Next = now.Add(pause(next.Failures, name))
	if next.Until.After(next.Next) {
		next.Next = next.Until
	}
	return next
}

// pause returns how long to wait after so many failures. The daily ones drift, by each certificate's own minutes, so that
// a CA that was down is not asked by everybody in the same second.
func pause(failures int, name string) time.Duration {
	p := pauses[min(failures, len(pauses))-1]
	if p == pauses[len(pauses)-1] {
		h := fnv.New32a()
		h.Write([]byte(name))
		p += time.Duration(h.Sum32()%3600) * time.Second
	}
	return p
}

// allowed returns the earliest time at which somebody who asks may have the CA asked.
func (a attempt) allowed(insisting bool) time.Time {
	var t time.Time
	if a.Asked {
		t = a.Next
		if early := a.At.Add(refill); insisting && early.Before(t) {
			t = early
		}
	}
	if a.Until.After(t) {
		t = a.Until
	}
	return t
}

// An issuance is what is remembered about certificates beside the certificates. Losing it costs nothing but a try that
// comes too early.
type issuance struct {
	Attempts map[string]attempt `json:"attempts,omitempty"` // by lineage
	Last     *LastOperation     `json:"last,omitempty"`
	// Certbot is the version that the program said it has, and the file it is, so that it need not be asked each time:
	// starting Python takes half a second.
	Certbot      string `json:"certbot,omitempty"`
	CertbotStamp string `json:"certbot_stamp,omitempty"`
}

const issuanceFile = "certificates.json"

func (e *Engine) issuancePath() string { return filepath.Join(e.opts.StateDir, issuanceFile) }

// issuance reads what is remembered. A file that can't be read is as good as none.
func (e *Engine) issuance() issuance {
	var is issuance
	b, err := e.fs.ReadFile(e.issuancePath())
	if err == nil {
		err = json.Unmarshal(b, &is)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		e.log.Warn("what was remembered of failed certificates can't be read; it is begun anew", "error", err)
		is = issuance{}
	}
	if is.Attempts == nil {
		is.Attempts = map[string]attempt{}
	}
	return is
}

// remember changes what is remembered. Only the holder of the lock calls it.
func (e *Engine) remember(change func(*issuance)) error {
	is := e.issuance()
	change(&is)
	b, err := json.MarshalIndent(is, "", "\t")
	if err != nil {
		return fmt.Errorf("encode %s: %w", issuanceFile, err)
	}
	return host.Replace(e.fs, e.issuancePath(), append(b, '\n'), e.sync())
}

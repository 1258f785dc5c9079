package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
	"github.com/urfave/cli/v2"
)

func (p *program) healthCommand() *cli.Command {
	return &cli.Command{
		Name: "health", Category: groupHost,
		Usage: "look whether nginx, certbot and the certificates are there and well",
		Description: `Exits with 1 when nginx does not run or refuses its configuration. What it may not look at it says, and takes for
neither good nor bad.

   proxy-manager health --json`,
		Flags:  []cli.Flag{jsonOption()},
		Action: p.health,
	}
}

func (p *program) health(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	h := look(c.Context, e)
	if c.Bool(optJSON) {
		err = p.printJSON(h)
	} else {
		err = p.showHealth(h)
	}
	if err != nil {
		return err
	}
	return complaint(h)
}

// A healthReport is what the service says of the host's health, and what only a person who asks has the time for.
type healthReport struct {
	health.Report
	Certificates []certificateHealth `json:"certificates"`
	// NotSeen tells what could not be looked at, and why.
	NotSeen []string `json:"not_seen"`

	untested bool // nginx's configuration could not be tested by this user
}

// A certificateHealth says how long a certificate lasts, and whether visitors get it.
type certificateHealth struct {
	Name     string    `json:"name"`
	NotAfter time.Time `json:"not_after"`
	DaysLeft int       `json:"days_left"`
	Due      bool      `json:"due"`
	Served   *bool     `json:"served"` // null where no route that is enabled uses it, or nobody looked
	Failed   string    `json:"failed,omitempty"`
}

// look looks at the host as this user can.
func look(ctx context.Context, e *engine.Engine) healthReport {
	seen := health.Look(ctx, e, time.Now)
	h := healthReport{Certificates: []certificateHealth{}, NotSeen: []string{}}
	if h.untested = isDenied(seen.ConfigError); h.untested {
		why := cmp.Or(errors.Unwrap(seen.ConfigError), seen.ConfigError)
		h.NotSeen = append(h.NotSeen, "whether nginx accepts its configuration: "+why.Error())
		seen.ConfigError = nil
	}
	if _, err := e.Interrupted(); err != nil {
		h.NotSeen = append(h.NotSeen, err.Error())
	}
	unloaded, err := e.CheckServed(ctx)
	if err != nil && seen.Nginx.Present { // without nginx nothing is served, which is said already
		h.NotSeen = append(h.NotSeen, "what nginx serves: "+err.Error())
	}
	certificates, err := e.Certificates(ctx)
	if err != nil {
		h.NotSeen = append(h.NotSeen, err.Error())
	}
	for _, c := range certificates {
		if c.Exists() || c.LastError != "" {
			h.Certificates = append(h.Certificates, certificateHealthOf(c, slices.Contains(unloaded, c.Name)))
		}
		if c.Exists() && (c.Stale() || time.Now().After(c.NotAfter)) {
			seen.BadCertificates++
		}
	}
	h.Report = seen.Report()
	if h.untested {
		h.Nginx.ConfigTestOK, h.Nginx.ConfigTestError = false, "not tested"
	}
	if len(h.NotSeen) > 0 && h.Status == health.Healthy {
		h.Status = health.Degraded // as far as is known
	}
	return h
}

// isDenied reports whether nginx refused its configuration only because this user may not read what it names.
func isDenied(err error) bool {
	return err != nil && os.Geteuid() != 0 && (errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "Permission denied"))
}

func certificateHealthOf(c engine.CertificateStatus, unloaded bool) certificateHealth {
	h := certificateHealth{Name: c.Name, NotAfter: c.NotAfter, Due: c.Due, Failed: c.LastError, DaysLeft: int(time.Until(c.NotAfter).Hours() / 24)}
	if c.ServedSerial != "" || unloaded {
		h.Served = new(!unloaded && !c.Stale())
	}
	return h
}

func (p *program) showHealth(h healthReport) error {
	if err := table(p.Out, []string{"WHAT", "STATE"}, healthRows(h)); err != nil {
		return err
	}
	if len(h.Certificates) > 0 {
		rows := make([][]string, len(h.Certificates))
		for i, c := range h.Certificates {
			rows[i] = []string{c.Name, dateOf(c.NotAfter), daysOf(c), servedOf(c), orDash(c.Failed)}
		}
		if err := sayTo(p.Out, "\n"); err != nil {
			return err
		}
		if err := table(p.Out, []string{"CERTIFICATE", "EXPIRES", "DAYS LEFT", "SERVED", "LAST FAILURE"}, rows); err != nil {
			return err
		}
	}
	for _, what := range h.NotSeen {
		p.say("Not seen: %s", visible(what))
	}
	if len(h.NotSeen) > 0 && os.Geteuid() != 0 {
		p.say("Run it as root to see that, too.")
	}
	return nil
}

// dateOf is a day; "-" for none.
func dateOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateOnly)
}

func daysOf(c certificateHealth) string {
	switch {
	case c.NotAfter.IsZero():
		return "none yet"
	case time.Now().After(c.NotAfter):
		return "expired"
	default:
		return strconv.Itoa(c.DaysLeft)
	}
}

func servedOf(c certificateHealth) string {
	switch {
	case c.Served == nil:
		return "-"
	case *c.Served:
		return "yes"
	default:
		return "NO: nginx presents another, or none"
	}
}

// complaint is why nothing is served, or would be after a restart.
func complaint(h healthReport) error {
	why, n := "", h.Nginx
	switch {
	case !n.Present:
		why = "nginx is not there: install it, or set NGINX_BIN"
	case !n.ConfigTestOK && !h.untested:
		why = n.ConfigTestError
	case !n.Running:
		why = "nginx is not running: start it (systemctl start nginx)"
	default:
		return nil
	}
	return &engine.Error{Code: engine.NginxBroken, Message: why}
}

func healthRows(h healthReport) [][]string {
	good := yesNo(h.Nginx.ConfigTestOK)
	if h.untested {
		good = "not tested"
	}
	return [][]string{
		{"status", h.Status},
		{"nginx", orDash(h.Nginx.Version)},
		{"nginx runs", yesNo(h.Nginx.Running)},
		{"configuration good", good},
		{"old workers", fmt.Sprint(h.Nginx.WorkersShuttingDown)},
		{"certbot", yesNo(h.SSL.CertbotPresent)},
	}
}

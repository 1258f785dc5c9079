package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/view"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/urfave/cli/v2"
)

func (p *program) listCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Category: groupRoutes,
		Usage:       "list the routes that are managed",
		Description: "   proxy-manager list\n   proxy-manager list --json | jq -r '.[].domain'",
		Flags:       []cli.Flag{jsonOption()},
		Action:      p.list,
	}
}

func (p *program) list(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	routes, err := e.Routes(c.Context)
	if err != nil {
		return err
	}
	if c.Bool(optJSON) {
		views := make([]view.Route, len(routes))
		for i, r := range routes {
			views[i] = view.RouteOf(r)
		}
		return p.printJSON(views)
	}
	if len(routes) == 0 {
		p.say("No route is managed yet. 'proxy-manager put NAME --domain DOMAIN --upstream-port PORT' makes one.")
		return nil
	}
	expires := p.expiries(c, e)
	rows := make([][]string, len(routes))
	for i, r := range routes {
		rows[i] = []string{r.Name, orDash(r.Route.Domain()), upstreamOf(r), yesNo(r.HTTPS), orDash(expires[r.Name]), statusOf(r)}
	}
	return table(p.Out, []string{"NAME", "DOMAIN", "UPSTREAM", "HTTPS", "EXPIRES", "STATUS"}, rows)
}

// expiries are the days on which the routes' certificates end, by route.
func (p *program) expiries(c *cli.Context, e *engine.Engine) map[string]string {
	certificates, err := e.Certificates(c.Context)
	if err != nil {
		p.say("Note: when certificates expire is not known: %s", visible(err.Error()))
	}
	days := map[string]string{}
	for _, c := range certificates {
		days[c.Name] = dateOf(c.NotAfter)
	}
	return days
}

func upstreamOf(r engine.RouteStatus) string {
	if r.Route.IsZero() {
		return "-" // its file no longer says
	}
	return r.Route.Upstreams().String()
}

func statusOf(r engine.RouteStatus) string {
	if r.Drifted {
		return r.Status + ", drifted"
	}
	return r.Status
}

func (p *program) getCommand() *cli.Command {
	return &cli.Command{
		Name: "get", Category: groupRoutes, ArgsUsage: "NAME",
		Usage:        "show one route",
		Description:  "   proxy-manager get shop --json",
		Flags:        []cli.Flag{jsonOption()},
		BashComplete: p.completeNames,
		Action:       p.get,
	}
}

func (p *program) get(c *cli.Context) error {
	name, err := nameOperand(c)
	if err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	r, err := e.Route(c.Context, name)
	if err != nil {
		return err
	}
	askUpstream(c, e, r.Route)
	detail := view.DetailOf(c.Context, e, r)
	if c.Bool(optJSON) {
		return p.printJSON(detail)
	}
	return table(p.Out, []string{"FIELD", "VALUE"}, routeRows(r, detail))
}

// askUpstream has the engine learn how the route's upstream is now: this process has not asked it before.
func askUpstream(c *cli.Context, e *engine.Engine, r resources.Route) {
	for _, url := range r.HealthURLs(e.Options().Upstreams.CheckPath) {
		e.CheckHealth(c.Context, r.Name(), url)
	}
}

// nameOperand returns the droplet's name, which is in lower case wherever it stands.
func nameOperand(c *cli.Context) (string, error) {
	name, err := operand(c, "NAME")
	return strings.ToLower(name), err
}

func routeRows(r engine.RouteStatus, d view.Detail) [][]string {
	rows := [][]string{{"name", r.Name}, {"status", statusOf(r)}, {"file", r.File}}
	if r.Route.IsZero() {
		return rows
	}
	rows = append(rows,
		[]string{"domains", strings.Join(r.Route.Domains(), " ")},
		[]string{"upstream", r.Route.Upstreams().String()},
		[]string{"upstream is", strings.TrimSpace(d.LastHealthStatus + " " + d.LastHealthReason)},
		[]string{"https", yesNo(r.HTTPS)},
	)
	f := r.Route.Fields()
	rows = append(rows, fieldRows(resources.RouteTable(), &f, "droplet_name", "domain", "aliases", "upstream_host", "upstream_port", "upstream_scheme")...)
	if r.Certificate != nil && d.Certificate == nil {
		return append(rows, []string{"certificate", r.Certificate.Fullchain + ", which could not be read"})
	}
	return append(rows, certificateRows(d.Certificate)...)
}

func certificateRows(c *engine.CertificateStatus) [][]string {
	if c == nil || !c.Exists() {
		return nil
	}
	return [][]string{
		{"certificate", c.Files.Fullchain},
		{"issuer", c.Issuer},
		{"expires", c.NotAfter.Local().Format(time.DateTime)},
		{"renewed by us", yesNo(c.Managed)},
		{"served", yesNo(!c.Stale())},
	}
}

func (p *program) putCommand() *cli.Command {
	return &cli.Command{
		Name: "put", Category: groupRoutes, ArgsUsage: "NAME",
		Usage: "create a route, or change one",
		Description: `Of a route that is there already, the fields that are not given stay as they are. Of a new one they get
their defaults. The certificate of a route with HTTPS is obtained at once with AUTO_ISSUE_SSL=true, and by
"proxy-manager ssl NAME" otherwise.

   proxy-manager put shop --domain shop.example.com --upstream-port 8001
   proxy-manager put shop --aliases www.shop.example.com --max-body-size 1g
   proxy-manager put shop --enabled=false`,
		Flags:        changeOptions(fieldOptions(resources.RouteTable())...),
		BashComplete: p.completeNames,
		Action:       p.put,
	}
}

func (p *program) put(c *cli.Context) error {
	name, err := nameOperand(c)
	if err != nil {
		return err
	}
	e, err := p.writer(c)
	if err != nil {
		return err
	}
	present, err := e.Route(c.Context, name)
	if err != nil && engine.CodeOf(err) != engine.ProxyNotFound {
		return err
	}
	route, err := changedRoute(c, name, present.Route)
	if err != nil {
		return err
	}
	req := engine.Put(route)
	req.Issue = p.settings.AutoIssueSSL
	req.Precondition = sameAs(present)
	if err := p.planAndExecute(c, e, req); err != nil || c.Bool(optDryRun) {
		return err
	}
	if r, err := e.Route(c.Context, name); err == nil && r.Status == engine.PendingSSL {
		p.say("Next: 'proxy-manager ssl %s' obtains its certificate; until then it answers over HTTP.", name)
	}
	return nil
}

// changedRoute is the present route, if there is one whose file still says what it is, with the fields that were given.
func changedRoute(c *cli.Context, name string, present resources.Route) (resources.Route, error) {
	fields := resources.RouteFields{DropletName: name}
	if !present.IsZero() {
		fields = present.Fields()
	}
	if err := setFields(c, resources.RouteTable(), &fields); err != nil {
		return resources.Route{}, engine.Invalid(err)
	}
	route, err := resources.NewRoute(fields)
	if err != nil {
		return route, engine.Invalid(err)
	}
	return route, nil
}

// sameAs refuses to write fields that were taken from a route which somebody else has changed since.
func sameAs(seen engine.RouteStatus) func(engine.RouteStatus) error {
	return func(now engine.RouteStatus) error {
		if now.Fingerprint != seen.Fingerprint {
			return &engine.Error{Code: engine.StalePlan, Message: "the route was changed by somebody else meanwhile: try again"}
		}
		return nil
	}
}

func (p *program) deleteCommand() *cli.Command {
	return &cli.Command{
		Name: "delete", Category: groupRoutes, ArgsUsage: "NAME",
		Usage:        "remove a route",
		Description:  "   proxy-manager delete shop --dry-run",
		Flags:        changeOptions(),
		BashComplete: p.completeNames,
		Action: func(c *cli.Context) error {
			name, err := nameOperand(c)
			if err != nil {
				return err
			}
			return p.change(c, engine.Delete(name))
		},
	}
}

// completeNames offers the names of the routes to the shell, or the command's options once a hyphen was typed.
func (p *program) completeNames(c *cli.Context) {
	cli.DefaultCompleteWithFlags(c.Command)(c)
	var err error
	if p.settings, err = resolve(p.flags, p.Getenv); err != nil {
		return
	}
	e, err := engine.Open(p.settings.engineOptions())
	if err != nil {
		return
	}
	routes, err := e.Routes(c.Context)
	if err != nil {
		return
	}
	for _, r := range routes {
		_, _ = fmt.Fprintln(p.Out, r.Name)
	}
}

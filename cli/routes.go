package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
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
		return p.printJSON(viewsOf(routes))
	}
	if len(routes) == 0 {
		p.say("No route is managed yet. 'proxy-manager put NAME --domain DOMAIN --upstream-port PORT' makes one.")
		return nil
	}
	rows := make([][]string, len(routes))
	for i, r := range routes {
		rows[i] = []string{r.Name, orDash(r.Route.Domain()), upstreamOf(r), yesNo(r.HTTPS), statusOf(r)}
	}
	return table(p.Out, []string{"NAME", "DOMAIN", "UPSTREAM", "HTTPS", "STATUS"}, rows)
}

func upstreamOf(r engine.RouteStatus) string {
	if r.Route.IsZero() {
		return "-" // its file no longer says
	}
	return r.Route.UpstreamURL()
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
	if c.Bool(optJSON) {
		return p.printJSON(viewOf(r))
	}
	return table(p.Out, []string{"FIELD", "VALUE"}, routeRows(r))
}

// nameOperand returns the droplet's name, which is in lower case wherever it stands.
func nameOperand(c *cli.Context) (string, error) {
	name, err := operand(c, "NAME")
	return strings.ToLower(name), err
}

func routeRows(r engine.RouteStatus) [][]string {
	f := r.Route.Fields()
	rows := [][]string{
		{"name", r.Name}, {"status", statusOf(r)}, {"file", r.File},
	}
	if r.Route.IsZero() {
		return rows
	}
	rows = append(rows,
		[]string{"domains", strings.Join(r.Route.Domains(), " ")}, []string{"upstream", r.Route.UpstreamURL()},
		[]string{"https", yesNo(r.HTTPS)}, []string{"enable_ssl", yesNo(r.Route.EnableSSL())}, []string{"enabled", yesNo(r.Route.Enabled())},
		[]string{"require_healthy", yesNo(r.Route.RequireHealthy())}, []string{"health_check_path", orDash(f.HealthCheckPath)},
		[]string{"max_body_size", f.MaxBodySize}, []string{"connect_timeout", f.ConnectTimeout},
		[]string{"read_timeout", f.ReadTimeout}, []string{"send_timeout", f.SendTimeout}, []string{"hsts", yesNo(r.Route.HSTS())},
	)
	if r.Certificate != nil {
		rows = append(rows, []string{"certificate", r.Certificate.Fullchain})
	}
	return rows
}

func (p *program) putCommand() *cli.Command {
	return &cli.Command{
		Name: "put", Category: groupRoutes, ArgsUsage: "NAME",
		Usage: "create a route, or change one",
		Description: `Of a route that is there already, the fields that are not given stay as they are. Of a new one they get
their defaults. The certificate of a route with HTTPS is obtained at once with AUTO_ISSUE_SSL=true, and by
"proxy-manager ssl NAME" otherwise.

   proxy-manager put shop --domain shop.example.com --upstream-port 8001
   proxy-manager put shop --alias www.shop.example.com --max-body-size 1g
   proxy-manager put shop --enabled=false`,
		Flags:        changeOptions(fieldOptions()...),
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
	fields, err := presentFields(c, e, name)
	if err != nil {
		return err
	}
	setFields(c, &fields)
	route, err := resources.NewRoute(fields)
	if err != nil {
		return invalid("", err)
	}
	req := engine.Put(route)
	req.Issue = p.settings.AutoIssueSSL
	if err := p.planAndExecute(c, e, req); err != nil || c.Bool(optDryRun) {
		return err
	}
	if r, err := e.Route(c.Context, name); err == nil && r.Status == engine.PendingSSL {
		p.say("Next: 'proxy-manager ssl %s' obtains its certificate; until then it answers over HTTP.", name)
	}
	return nil
}

// presentFields are those of the route as it is. Of a route whose file no longer says them, nothing is known.
func presentFields(c *cli.Context, e *engine.Engine, name string) (resources.RouteFields, error) {
	r, err := e.Route(c.Context, name)
	if errors.Is(err, &engine.Error{Code: engine.ProxyNotFound}) || err == nil && r.Route.IsZero() {
		return resources.RouteFields{DropletName: name}, nil
	}
	return r.Route.Fields(), err
}

// The fields of a route by the type of their options. Each option is called as its field, with hyphens.
var (
	textFields = []struct {
		option, usage string
		field         func(*resources.RouteFields) *string
	}{
		{"domain", "`DOMAIN` that the route serves", func(f *resources.RouteFields) *string { return &f.Domain }},
		{"upstream-host", "`HOST` of the upstream: a name or an address; localhost unless given", func(f *resources.RouteFields) *string { return &f.UpstreamHost }},
		{"upstream-scheme", "how to speak to the upstream: http (default) or https", func(f *resources.RouteFields) *string { return &f.UpstreamScheme }},
		{"health-check-path", "`PATH` of the health check of this route", func(f *resources.RouteFields) *string { return &f.HealthCheckPath }},
		{"max-body-size", "most that a request's body may have, such as 10m (default: 100m); 0 is no bound", func(f *resources.RouteFields) *string { return &f.MaxBodySize }},
		{"read-timeout", "how long the upstream may be silent, such as 5m (default: 60s)", func(f *resources.RouteFields) *string { return &f.ReadTimeout }},
		{"send-timeout", "how long the upstream may refuse to take more of a request (default: 60s)", func(f *resources.RouteFields) *string { return &f.SendTimeout }},
		{"connect-timeout", "how long connecting to the upstream may take (default: 5s)", func(f *resources.RouteFields) *string { return &f.ConnectTimeout }},
	}
	switchFields = []struct {
		option, usage string
		field         func(*resources.RouteFields) **bool
	}{
		{"enable-ssl", "serve it over HTTPS (default: true)", func(f *resources.RouteFields) **bool { return &f.EnableSSL }},
		{"require-healthy", "refuse changes while the upstream is not healthy (default: true)", func(f *resources.RouteFields) **bool { return &f.RequireHealthy }},
		{"hsts", "tell browsers to use nothing but HTTPS, for two years (default: false)", func(f *resources.RouteFields) **bool { return &f.HSTS }},
		{"enabled", "serve it; --enabled=false keeps its file (default: true)", func(f *resources.RouteFields) **bool { return &f.Enabled }},
	}
)

const (
	optAlias        = "alias"
	optUpstreamPort = "upstream-port"
)

func fieldOptions() []cli.Flag {
	flags := []cli.Flag{
		&cli.IntFlag{Name: optUpstreamPort, Usage: "`PORT` of the upstream", DefaultText: "none"},
		&cli.StringSliceFlag{Name: optAlias, Aliases: []string{"aliases"}, Usage: "one more `DOMAIN`; may be repeated, or have commas in it; an empty one removes all"},
	}
	for _, f := range textFields {
		flags = append(flags, &cli.StringFlag{Name: f.option, Usage: f.usage})
	}
	for _, f := range switchFields {
		flags = append(flags, &cli.BoolFlag{Name: f.option, Usage: f.usage, DisableDefaultText: true})
	}
	return flags
}

// setFields sets the fields whose options were given.
func setFields(c *cli.Context, f *resources.RouteFields) {
	for _, t := range textFields {
		if c.IsSet(t.option) {
			*t.field(f) = c.String(t.option)
		}
	}
	for _, s := range switchFields {
		if c.IsSet(s.option) {
			*s.field(f) = new(c.Bool(s.option))
		}
	}
	if c.IsSet(optUpstreamPort) {
		f.UpstreamPort = c.Int(optUpstreamPort)
	}
	if c.IsSet(optAlias) {
		f.Aliases = strings.FieldsFunc(strings.Join(c.StringSlice(optAlias), ","), func(r rune) bool { return r == ',' || r == ' ' })
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

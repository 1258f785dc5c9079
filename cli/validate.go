package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/urfave/cli/v2"
)

func (p *program) validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", Category: groupState,
		Usage: "check the desired state's file, and the versions that it asks for",
		Description: `Looks at nothing on the host but the version of nginx, if it is there. Tells all that is wrong, not only the first.

   proxy-manager validate -f proxies.json`,
		Flags:  []cli.Flag{fileOption(), jsonOption()},
		Action: p.validate,
	}
}

func (p *program) validate(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	name := c.String(optFile)
	text, err := p.read(c.Context, name)
	if err != nil {
		return err
	}
	d, err := resources.ParseDesired(text)
	if err != nil {
		return faultsInFile(name, faults(text, err))
	}
	if err := p.checkVersions(c, d); err != nil {
		return inFile(name, err)
	}
	if c.Bool(optJSON) {
		return p.printJSON(map[string]any{"valid": true, "routes": len(d.Routes), "certificates": len(d.Certificates)})
	}
	return sayTo(p.Out, "%s is valid: %s.\n", name, count(len(d.Routes), "route"))
}

// faults are what is wrong with a desired state: the first, and of each resource by itself what is wrong with that.
func faults(text []byte, first error) []error {
	var parts struct{ Routes, Certificates []json.RawMessage }
	if json.Unmarshal(text, &parts) != nil {
		return []error{first}
	}
	list := slices.Concat(
		faultsOf("routes", parts.Routes, resources.ParseRoute),
		faultsOf("certificates", parts.Certificates, resources.ParseCertificate),
	)
	if !slices.ContainsFunc(list, func(err error) bool { return err.Error() == first.Error() }) {
		list = append([]error{first}, list...)
	}
	return list
}

func faultsOf[R any](field string, texts []json.RawMessage, parse func([]byte) (R, error)) []error {
	var list []error
	for i, text := range texts {
		if _, err := parse(text); err != nil {
			list = append(list, fields.Under(fmt.Sprintf("%s[%d]", field, i), err))
		}
	}
	return list
}

// faultsInFile is the error of all that is wrong with a file. The details say it of each, and of the first as ever.
func faultsInFile(name string, list []error) error {
	err := inFile(name, errors.Join(list...))
	if failure, ok := errors.AsType[*engine.Error](err); ok {
		var each []map[string]any
		for _, fault := range list {
			each = append(each, factsOf(engine.Invalid(fault)).Details)
		}
		failure.Details["errors"] = each
	}
	return err
}

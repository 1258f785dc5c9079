package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/urfave/cli/v2"
)

// optAlias is short for one of the aliases: it reads better.
const optAlias = "alias"

// optionOf is the field's name with hyphens.
func optionOf(f fields.Field) string { return strings.ReplaceAll(f.Name, "_", "-") }

// fieldOptions are options for the fields of a table. The resource's own name is the command's operand.
func fieldOptions[S any](t *fields.Table[S]) []cli.Flag {
	options := []cli.Flag{&cli.StringSliceFlag{Name: optAlias, Hidden: true}}
	for _, f := range t.Fields()[1:] {
		options = append(options, fieldOption(f))
	}
	return options
}

func fieldOption(f fields.Field) cli.Flag {
	name, usage, otherwise := optionOf(f), f.Usage(), ""
	switch {
	case f.Default != nil:
		otherwise = fmt.Sprint(f.Default)
	case f.Required:
		otherwise = "required"
	}
	switch f.Kind() {
	case "integer":
		return &cli.IntFlag{Name: name, Usage: usage, DefaultText: otherwise}
	case "boolean":
		return &cli.BoolFlag{Name: name, Usage: usage, DefaultText: otherwise}
	case "array":
		return &cli.StringSliceFlag{Name: name, KeepSpace: true, Usage: usage + "; once for each, or with commas; an empty one removes all"}
	default:
		return &cli.StringFlag{Name: name, Usage: usage, DefaultText: otherwise}
	}
}

// setFields sets the fields whose options were given.
func setFields[S any](c *cli.Context, t *fields.Table[S], s *S) error {
	for _, f := range t.Fields() {
		text, given := givenText(c, f)
		if !given {
			continue
		}
		if err := t.Set(s, f.Name, text); err != nil {
			return err
		}
	}
	return nil
}

func givenText(c *cli.Context, f fields.Field) (text string, given bool) {
	option := optionOf(f)
	if f.Name == "aliases" && c.IsSet(optAlias) {
		return strings.Join(slices.Concat(c.StringSlice(option), c.StringSlice(optAlias)), ","), true
	}
	if f.Kind() == "array" {
		return strings.Join(c.StringSlice(option), ","), c.IsSet(option)
	}
	return fmt.Sprint(c.Value(option)), c.IsSet(option)
}

// fieldRows are the fields of a table with their values, but for those that are shown elsewhere.
func fieldRows[S any](t *fields.Table[S], s *S, elsewhere ...string) [][]string {
	var rows [][]string
	for f, text := range t.Texts(s) {
		if slices.Contains(elsewhere, f.Name) {
			continue
		}
		if f.Kind() == "boolean" {
			text = yesNo(text == "true")
		}
		rows = append(rows, []string{f.Name, orDash(text)})
	}
	return rows
}

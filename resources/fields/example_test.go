package fields_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
)

func Example() {
	type Job struct {
		Name  string `json:"name"`
		Tries int    `json:"tries,omitempty"`
	}
	lower := fields.Text(func(s string) (string, error) {
		if s == "" {
			return "", errors.New("must be given")
		}
		return strings.ToLower(s), nil
	}, fields.Schema{})
	jobs := fields.For[Job](
		fields.Field{Name: "name", Type: lower, Required: true, Help: "what it is called"},
		fields.Field{Name: "tries", Type: fields.Integer("a number", 1, 9), Default: 3, Help: "how often it is tried"},
	)

	job := Job{Name: "Backup"}
	fmt.Println(jobs.Normalise(&job), job.Tries, string(jobs.JSON(&job)))
	job.Tries = 10
	fmt.Println(jobs.Normalise(&job))
	for _, f := range jobs.Fields() {
		fmt.Printf("--%s  %s\n", f.Name, f.Help)
	}
	// Output:
	// <nil> 3 {"name":"backup"}
	// tries must be a number from 1 to 9, not "10"
	// --name  what it is called
	// --tries  how often it is tried
}

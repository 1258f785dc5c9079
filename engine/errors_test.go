package engine_test

import (
	"errors"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
	"github.com/matryer/is"
)

func TestWhatAUserGaveIsRefusedWithItsPlaceWhicheverParserRefusedIt(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		code    engine.Code
		details map[string]any
	}{
		"a field": {
			&resources.FieldError{Field: "domain", Constraint: "must be given"}, engine.InvalidInput,
			map[string]any{"field": "domain", "constraint": "must be given"},
		},
		"a place in the JSON": {
			&strictjson.Error{Field: "routes[2].domain", Constraint: "is given twice"}, engine.InvalidInput,
			map[string]any{"field": "routes[2].domain", "constraint": "is given twice"},
		},
		"the text as a whole": {
			errors.New("too long"), engine.InvalidInput, map[string]any{"field": "", "constraint": "too long"},
		},
		"a domain that another site has": {
			&resources.DomainConflict{Domain: "a.example", First: "route.asked", Second: "/etc/nginx/sites-enabled/other:3"}, engine.DomainConflict,
			map[string]any{"domain": "a.example", "file": "/etc/nginx/sites-enabled/other:3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			e := engine.Invalid(test.err)
			is.Equal(e.Code, test.code)
			is.Equal(e.Details, test.details)
			is.True(errors.Is(e, test.err))
		})
	}
}

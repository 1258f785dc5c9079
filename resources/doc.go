// Package resources says what can be managed: routes and certificates, how they look as nginx configuration, and how
// they are read back from it.
//
// A [Route] is one site: a domain and the upstream that serves it. There is one way to get one, [NewRoute] (or
// [ParseRoute], which reads JSON first), and it checks every field against a closed alphabet. Whoever holds a Route
// holds a good one, whether it came from a file, a request, a registry or the header of a configuration on disk.
//
// What there is to say of each field stands in one table, [RouteTable]: its check and default, what it means, and the
// directive that it stands for. Schema, options, reference and more are made of it; package fields says how.
//
// [Route.Render] turns a route into the text of its file in sites-available. The same route, settings and certificate
// always give the same bytes. The file's header carries the route itself and a fingerprint, so that [ParseManaged]
// knows everything again from the directory alone, and an edit by hand shows as drift.
//
// Nothing in this package reads or writes the host: package engine does.
package resources

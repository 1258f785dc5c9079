// Package facade is the engine over HTTP.
//
// [New] returns a handler for all of it, to be served alone or mounted in a server of one's own. It adds who may call
// (tokens, the guard against web pages), what a call looks like as JSON, and what is told about it (logs, metrics, the
// OpenAPI document); what happens to the host is the engine's.
//
// What the command line shares with it is in packages of its own: codes (what an error means to a caller), view and health
// (what is shown of a route and of the host), and registry (the routes that a Registry asks for).
package facade

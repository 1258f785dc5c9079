// Package adopt reads a site that was written by hand, finds the route that does the same, and holds what the site does
// against what that route, as it is rendered, will do. Everything that differs is a reason: against the adoption, to be
// accepted, or to be known. It reads, and changes nothing.
package adopt

// Package certificate reads certificates from files, with their keys, as nginx would load them: whose they are and how long
// they are good. It neither gets nor writes any, and a key is never kept.
package certificate

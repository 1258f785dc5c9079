// Package cli is the command line: it reads what was typed, calls the engine, and says what came of it.
//
// Data goes to stdout, talk to stderr, and [Main] returns the exit code; nothing here ends the process. The exit codes
// are those of facade/codes, and 2 for planned changes with --detailed-exitcode.
package cli

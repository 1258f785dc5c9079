// Package nginx drives one nginx: it asks the binary for its version, tests the configuration, finds the running master
// and its workers, reloads, and waits until new workers are in charge. It decides nothing and knows no error codes: what
// nginx refuses is a [*Refusal], and what does not run is [ErrNotRunning].
package nginx

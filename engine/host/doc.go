// Package host is the files of one host, as the engine sees and changes them: an [FS] that faults and crashes can be put
// into, an [Observer] that remembers a fingerprint of all it is asked for, a [Cache] behind it, a [Watch] that hears of
// changes from the kernel, and writes that are whole or not at all.
//
// Authors of resources and step kinds of their own (see package engine) work with it. It knows nothing of nginx, plans
// to be applied or error codes: its errors are those of the system.
package host

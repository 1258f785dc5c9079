// Package acme is what every program that gets certificates from a CA over HTTP-01 has to do with, whichever program it
// is: why a certificate could not be had, when the CA may be asked again, and whether it is worth asking at all.
//
// A [Failure] has its [Reason] in one word and a sentence that says what to do. A [Memory] keeps failures across restarts
// and spaces the attempts. A [Preflight] fetches a token as the CA will.
package acme

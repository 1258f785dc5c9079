// Package nginxconf writes and reads nginx's configuration language.
//
// A [Writer] is the only way in which this program produces configuration. It takes directives, not text: it quotes what
// needs quotes and refuses what no quotes make safe, so that a value can never become a directive of its own. That was
// the hole, over and over, in the programs that fill configuration into templates (CVE-2021-25742 to CVE-2026-24512 in
// ingress-nginx alone).
//
// [Parse] reads configuration of any origin, as far as that can be done without nginx's modules, to learn which sites
// a host has.
package nginxconf

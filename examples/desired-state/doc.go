// Package desiredstate holds desired states to start from:
//
//   - proxies.json: three services on this host, over HTTPS; three fields each are enough.
//   - shop.json: a shop with several names, large uploads, an HTTPS upstream on another host, a site that is prepared
//     and not served yet, and a certificate with an RSA key for old clients.
//   - internal.json: names on a company's own network, over plain HTTP; builds streams its logs over WebSockets that may
//     be silent for an hour.
//
// Check a copy of yours with "proxy-manager validate -f FILE"; "proxy-manager schema" prints the JSON Schema for the
// editor.
package desiredstate

// Package certbot has certbot get, renew and delete certificates, and reads what it keeps. What it can't get is an
// [acme.Failure], whose reason was found in certbot's own words; it knows no error codes, and decides neither when a
// certificate is due nor how soon a failed one is tried again.
package certbot

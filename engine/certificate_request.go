package engine

// SSLOptions say how [SSL] gets a certificate.
type SSLOptions struct {
	// Email is the address the CA gets for its account; empty for the one of [Options].
	Email string
	// Force obtains the certificate anew although the present one is good and not due.
	Force bool
}

// SSL asks for the certificate of one route, and for its use. Without Force it is obtained only if it is missing, does
// not fit the route, or is due. A route that had enable_ssl off has it on afterwards.
func SSL(name string, o SSLOptions) Request {
	req := Request{Operation: "ssl", KeepUnlisted: true, Obtain: []string{name}, Email: o.Email}
	if o.Force {
		req.Renew = []string{name}
	}
	return req
}

// RenewDue asks for every certificate of the program's own that is due or from another CA than the one that is set, for those
// whose last attempt failed and may be made again, and for nginx to load what somebody else renewed. Those go that nothing has
// used for as long as the history is kept. Where nothing is due the plan is empty.
func RenewDue() Request {
	return Request{Operation: "renew", KeepUnlisted: true, Due: true}
}

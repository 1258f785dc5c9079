package main

import (
	"fmt"
)

func https(s *stage) error {
	s.say("The orchestrator is to be served over HTTPS. certbot asks the CA, which looks up the name and fetches the challenge through nginx.")
	err := s.changeDesired(func(routes map[string]fields) { routes["orchestrator"]["enable_ssl"] = true })
	if err != nil {
		return err
	}
	if _, err := s.succeed("apply", "--auto-approve"); err != nil {
		return err
	}
	first, err := s.serial("orchestrator.example.com")
	if err != nil {
		return err
	}
	s.prove(first != "", "https://orchestrator.example.com answers with a certificate that the CA's root verifies")
	res, err := s.lab.Get("orchestrator.example.com", "/name")
	if err != nil {
		return err
	}
	s.prove(res.Status == 301 || res.Status == 308, "HTTP redirects to HTTPS")

	s.say("\nA renewal counts when the new certificate is served, not when it is on disk.")
	if _, err := s.succeed("ssl", "orchestrator", "--force-renew", "--auto-approve"); err != nil {
		return err
	}
	second, err := s.serial("orchestrator.example.com")
	if err != nil {
		return err
	}
	s.say("serial before %s, after %s", first, second)
	s.prove(second != first, "after a forced renewal a TLS handshake shows another serial number")
	return nil
}

// serial asks over HTTPS and returns the serial number of the certificate that was shown and verified.
func (s *stage) serial(domain string) (string, error) {
	res, err := s.lab.GetTLS(domain, "/name")
	if err != nil {
		return "", err
	}
	leaf := res.TLS.PeerCertificates[0]
	s.print("\n  $ %s\n", s.paint(bold, "curl https://"+domain+"/name"))
	s.show(fmt.Sprintf("%s(%s, issued by %s, serial %x)", res.Body, res.Proto, leaf.Issuer.CommonName, leaf.SerialNumber))
	return fmt.Sprintf("%x", leaf.SerialNumber), nil
}

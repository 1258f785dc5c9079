package resources_test

import (
	"fmt"
	"os"

	"github.com/hashicorp/go-version"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

func ExampleParseRoute() {
	route, err := resources.ParseRoute([]byte(`{"droplet_name": "shop", "domain": "shop.example.com", "upstream_port": 8001}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(route.Address(), route.Domain(), route.Upstreams())
	// Output: route.shop shop.example.com http://localhost:8001
}

func ExampleParseRoute_refused() {
	_, err := resources.ParseRoute([]byte(`{"droplet_name": "shop", "domain": "shop.example.com;", "upstream_port": 8001}`))
	fmt.Println(err)
	// Output: domain must be a DNS name of letters, digits, '-' and '.', at most 253 characters, 63 between two dots, not "shop.example.com;"
}

func ExampleRoute_Render() {
	route, err := resources.NewRoute(resources.RouteFields{DropletName: "shop", Domain: "shop.example.com", UpstreamHost: "10.0.0.7", UpstreamPort: 8001})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := route.Render(resources.Settings{
		Nginx:   version.Must(version.NewVersion("1.22.1")),
		Webroot: "/var/lib/proxy-manager/acme",
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(text[:len("# Managed by Proxy Manager, format 1.")])
	ds, err := nginxconf.Parse(route.FileName(), text)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println()
	for _, d := range ds {
		fmt.Println(d.Name, d.Args)
	}
	// Output:
	// # Managed by Proxy Manager, format 1.
	// upstream [ac6a_fpai_shop]
	// server []
}

func ExampleParseManaged() {
	route, err := resources.NewRoute(resources.RouteFields{DropletName: "shop", Domain: "shop.example.com", UpstreamPort: 8001})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := route.Render(resources.Settings{Nginx: version.Must(version.NewVersion("1.22.1")), Webroot: "/var/lib/proxy-manager/acme"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	edited := append(text, "# by hand\n"...)
	managed, err := resources.ParseManaged(edited)
	if err != nil {
		fmt.Println(err)
		return
	}
	was, err := managed.Route()
	fmt.Println(was.Domain(), managed.Drifted, err)
	// Output: shop.example.com true <nil>
}

func ExampleParseDesired() {
	_, err := resources.ParseDesired([]byte(`{"routes": [
		{"droplet_name": "shop", "domain": "shop.example.com", "upstream_port": 8001},
		{"droplet_name": "blog", "domain": "blog.example.com", "upstream_port": 80010}
	]}`))
	fmt.Println(err)
	// Output: routes[1].upstream_port must be a port from 1 to 65535, not "80010"
}

func ExampleSites() {
	ds, err := nginxconf.Parse("default", []byte("server { listen 80 default_server; server_name www.example.com; }"))
	if err != nil {
		fmt.Println(err)
		return
	}
	site := resources.Sites(ds)[0]
	fmt.Println(site.Serves("www.example.com"), site.Listens[0].Port, site.Listens[0].Default)
	// Output: true 80 true
}

func ExampleNewCertificate() {
	certificate, err := resources.NewCertificate(resources.CertificateFields{Name: "shop", Domains: []string{"shop.example.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(certificate.Address(), certificate.LineageName(), certificate.KeyType())
	// Output: certificate.shop fpai-shop ecdsa
}

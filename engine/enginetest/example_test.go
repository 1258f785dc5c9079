package enginetest_test

import (
	"fmt"
	"log"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// A program that shows something on a real nginx. A test calls Start instead, which cleans up by itself.
func ExampleNew() {
	lab, err := enginetest.New(enginetest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer lab.Close()

	api := lab.Upstream("api")
	site := fmt.Sprintf("server { listen %d; server_name api.example.test; location / { proxy_pass %s; } }\n",
		lab.HTTPPort, api.URL())
	if err := lab.Site("api.conf", site); err != nil {
		log.Fatal(err)
	}
	if err := lab.ReloadNginx(); err != nil {
		log.Fatal(err)
	}
	res, err := lab.Get("api.example.test", "/health")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(res.Status, " ", res.Body)
	// Output: 200 {"status":"healthy"}
}

func ExampleTree_Diff() {
	before := enginetest.Tree{"conf.d/a.conf": "-rw-r--r-- 0:0\nserver_tokens on;\n"}
	after := enginetest.Tree{
		"conf.d/a.conf": "-rw-r--r-- 0:0\nserver_tokens off;\n",
		"conf.d/b.conf": "-rw-r--r-- 0:0\n",
	}
	fmt.Print(after.Diff(before))
	// Output:
	// ~ conf.d/a.conf:
	//     - server_tokens on;
	//     + server_tokens off;
	// + conf.d/b.conf: -rw-r--r-- 0:0
}

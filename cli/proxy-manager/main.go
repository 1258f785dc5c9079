// Command proxy-manager makes nginx and certbot on one host programmable. See package cli.
package main

import (
	"os"

	"github.com/fullpotential-ai/proxy-manager/cli"
)

func main() { os.Exit(cli.Main(os.Args, cli.System())) }

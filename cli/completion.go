package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself what could come next, so they never lag behind it. They pass words on as they are
// and evaluate nothing.
var completionScripts = map[string]string{
	"bash": `_proxy_manager() {
  local cur="${COMP_WORDS[COMP_CWORD]}" words=("${COMP_WORDS[@]:0:COMP_CWORD}")
  [[ $cur == -* ]] && words+=("$cur")
  mapfile -t COMPREPLY < <(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur")
}
complete -o bashdefault -o default -F _proxy_manager proxy-manager
`,
	"zsh": `#compdef proxy-manager
_proxy_manager() {
  local cur=${words[CURRENT]}
  local -a typed=("${(@)words[1,CURRENT-1]}") offers
  [[ $cur == -* ]] && typed+=("$cur")
  offers=("${(@f)$("${typed[@]}" --generate-bash-completion 2>/dev/null)}")
  if [[ -n ${offers[1]} ]]; then compadd -- "${offers[@]}"; else _files; fi
}
compdef _proxy_manager proxy-manager
`,
	"fish": `function __proxy_manager_offers
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    string match -q -- '-*' $current; and set -a typed $current
    $typed --generate-bash-completion 2>/dev/null
end
complete -c proxy-manager -a '(__proxy_manager_offers)'
`,
}

func (p *program) completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Category: groupAbout, ArgsUsage: "bash|zsh|fish",
		Usage: "print the completion script of a shell",
		Description: `   proxy-manager completion bash > /etc/bash_completion.d/proxy-manager
   proxy-manager completion zsh > /usr/share/zsh/site-functions/_proxy-manager
   proxy-manager completion fish > ~/.config/fish/completions/proxy-manager.fish`,
		BashComplete: func(*cli.Context) { _, _ = fmt.Fprintln(p.Out, "bash\nzsh\nfish") },
		Action: func(c *cli.Context) error {
			shell, err := operand(c, "shell")
			if err != nil {
				return err
			}
			script, ok := completionScripts[shell]
			if !ok {
				return usagef("there is completion for bash, zsh and fish, and none for %.20q", shell)
			}
			_, err = io.WriteString(p.Out, script)
			return err
		},
	}
}

// manCommand is for packagers.
func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Category: groupAbout, Hidden: true,
		Usage:       "print the manual page",
		Description: "   proxy-manager man > proxy-manager.8",
		Action: func(c *cli.Context) error {
			page, err := c.App.ToMan()
			if err != nil {
				return err
			}
			_, err = io.WriteString(p.Out, page)
			return err
		},
	}
}

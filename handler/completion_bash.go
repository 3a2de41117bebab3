package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// bashAlone stands at the end of the script for bash. The script leans on two functions
// of the package bash-completion, and without it every Tab would be an error: these do
// as much as the script needs where the package is not there.
const bashAlone = `
__handler_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    # bash splits words at = and :, too, which belong to them here. Only what stands
    # before the cursor counts.
    local rest=${COMP_LINE:0:COMP_POINT} last="" word i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && word=${rest#"${rest%%[![:space:]]*}"}
        if ((i > 0)) && [[ $rest != [[:space:]]* && -n $word && ($word == [=:]* || $last == *[=:]) ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        rest=${rest#"${rest%%[![:space:]]*}"}
        rest=${rest#"$word"}
        last=$word
    done
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=""
    ((cword > 0)) && prev=${words[cword - 1]}
    return 0
}

__handler_filedir()
{
    if declare -F _filedir >/dev/null; then
        _filedir "$@"
        return
    fi
    local of=-f name
    [[ $1 == -d ]] && of=-d
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do
        if [[ -d $name || $of == -d || -z ${1%|} || $name =~ \.(${1%|})$ ]]; then
            COMPREPLY+=("$name")
        fi
    done < <(compgen $of -- "$cur")
}
`

// ownBash has the script for bash also work without the package bash-completion.
func ownBash(bash *cobra.Command) {
	bash.Long = "Prints the script for bash. In your current shell it is loaded by the command below. To load it into every new one, add that\n" +
		"command to ~/.bashrc, or write the script to /etc/bash_completion.d/handler, or on macOS with Homebrew to\n" +
		"$(brew --prefix)/etc/bash_completion.d/handler."
	bash.RunE = func(cmd *cobra.Command, _ []string) error {
		plain, err := cmd.Flags().GetBool("no-descriptions")
		if err != nil {
			return err
		}
		var script bytes.Buffer
		if err := cmd.Root().GenBashCompletionV2(&script, !plain); err != nil {
			return err
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), strings.ReplaceAll(script.String(), "_filedir", "__handler_filedir"), bashAlone)
		return err
	}
}

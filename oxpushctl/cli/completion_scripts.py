"""The completion scripts: what each shell asks ``oxpushctl``, and what it does with the answers.

They hand over the line up to the cursor, which ``completion`` takes apart itself: bash would do so at ``=`` and ``:``,
too. An answer is a line of three fields between tabs: ``plain``, ``file`` or ``dir``; the whole word, or for files
and folders what stands before the path in it; and a few words of help.
"""

from __future__ import annotations

BASH = r"""# Completion of oxpushctl for bash 4.4 and newer; written by `make docs`.

_oxpushctl() {
    local line=${COMP_LINE:0:COMP_POINT} current=$2 answer kind word before
    # Where bash begins a new word after = or :, it wants only what follows.
    before=${line##*[[:space:]]}
    before=${before%"$current"}
    COMPREPLY=()
    while IFS= read -r answer; do
        kind=${answer%%$'\t'*}
        word=${answer#*$'\t'}
        word=${word%%$'\t'*}
        case $kind in
            plain) COMPREPLY+=("${word#"$before"}") ;;
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
        esac
    done < <(env COMP_WORDS="$line" _OXPUSHCTL_COMPLETE=bash_complete "${1/#\~\//$HOME/}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace
    fi
}

complete -o nosort -F _oxpushctl oxpushctl
"""

ZSH = r"""#compdef oxpushctl
# Completion of oxpushctl for zsh; written by `make docs`.

_oxpushctl() {
    local line="${(j: :)words[1,CURRENT-1]} $IPREFIX$QIPREFIX$PREFIX" program=${(Q)words[1]} answer word
    local -a fields answers whole begun expl
    local -i found=1
    program=${program/#\~\//$HOME/}
    answers=("${(@f)$(env COMP_WORDS="$line" _OXPUSHCTL_COMPLETE=zsh_complete $program 2>/dev/null)}")
    for answer in $answers; do
        fields=("${(@ps:\t:)answer}")
        case $fields[1] in
            plain)
                # _describe takes what follows the first colon for the help, be it nothing.
                word=${fields[2]//:/\\:}${fields[3]:+:$fields[3]}
                if [[ $fields[2] == *= ]]; then begun+=("$word"); else whole+=("$word"); fi
                ;;
            file) compset -P '*='; _files && found=0 ;;
            # Where no folder matches, _files and _directories would offer files.
            dir) compset -P '*='; _wanted directories expl folder _path_files -/ && found=0 ;;
        esac
    done
    if (( $#whole )); then _describe -V oxpushctl whole && found=0; fi
    if (( $#begun )); then _describe -V oxpushctl begun -S '' && found=0; fi
    return found
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _oxpushctl "$@"
else
    compdef _oxpushctl oxpushctl
fi
"""

FISH = r"""# Completion of oxpushctl for fish; written by `make docs`.

function __oxpushctl_complete
    set -l line (commandline -cp | string collect)
    set -l token (commandline -ct)
    set -l program (commandline -opc)[1]
    set program (string replace -r '^~/' "$HOME/" -- $program)
    for answer in (env COMP_WORDS="$line" _OXPUSHCTL_COMPLETE=fish_complete $program 2>/dev/null)
        set -l fields (string split \t -- $answer)
        set -l path (string replace -- "$fields[2]" "" "$token")
        switch $fields[1]
            case plain
                printf '%s\t%s\n' $fields[2] $fields[3]
            case file
                for found in (__fish_complete_path "$path")
                    printf '%s%s\n' "$fields[2]" $found
                end
            case dir
                for found in (__fish_complete_directories "$path")
                    printf '%s%s\n' "$fields[2]" $found
                end
        end
    end
end

complete --command oxpushctl --no-files --arguments '(__oxpushctl_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}

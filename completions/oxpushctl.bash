# Completion of oxpushctl for bash 4.4 and newer; written by `make docs`.

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

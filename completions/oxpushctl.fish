# Completion of oxpushctl for fish; written by `make docs`.

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

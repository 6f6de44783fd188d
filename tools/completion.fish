# Completes `memlayers` in fish with what its bash completion offers: there is one list, the program's help.

set -g __memlayers_offered (dirname (status filename))/../../bash-completion/completions/memlayers

function __memlayers_offer
    set -l replies (bash $__memlayers_offered (commandline -opc) "$(commandline -ct)" 2>/dev/null)
    if test (count $replies) -gt 0
        printf '%s\n' $replies
    else
        __fish_complete_path (commandline -ct)
    end
end

complete -c memlayers -f -a '(__memlayers_offer)'

#compdef memlayers
# Completes `memlayers` in zsh with what its bash completion offers: there is one list, the program's help.

local offered=${${(%):-%x}:A:h}/../../bash-completion/completions/memlayers
local -a replies=(${(f)"$(bash $offered "${(@Q)words[1,CURRENT]}" 2>/dev/null)"})
if (( $#replies == 0 )); then
  _files
else
  compadd -S '' -- ${(M)replies:#*=} # a value follows
  compadd -- ${replies:#*=}
fi

# Completes commands, options, their choices, configuration keys and files of `memlayers` in bash. As a program it prints
# what it offers for the last of its arguments, one a line: so zsh and fish complete the same (completion.zsh and .fish).
#
# Nothing is listed here: the program is asked for its help once a command and session, so it is never out of date.
# shellcheck shell=bash

declare -gA _memlayers_help

# Sets `help`. Kept in this shell, not printed: a subshell would forget it.
_memlayers_ask() { # PROGRAM COMMAND
  local key="${2:-program}"
  [ -n "${_memlayers_help[$key]:-}" ] || _memlayers_help[$key]=$("$1" ${2:+"$2"} --help 2>/dev/null </dev/null)
  help="${_memlayers_help[$key]}"
}

_memlayers() {
  local program="${COMP_WORDS[0]/#\~/$HOME}" command="${COMP_WORDS[1]}" word="$2" before="$3" help words
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    _memlayers_ask "$program" ""
    words=$(sed -n 's/^  \([a-z][a-z-]*\)  *.*/\1/p' <<<"$help")
    mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$word")
    return
  fi
  _memlayers_ask "$program" "$command"
  case "$word" in
    -*) words=$(sed -n 's/^  \(-[^ ]*\).*/\1/p' <<<"$help" | tr ',' '\n') ;;
    *)
      case "$before" in
        # The choices of an option, where its line of help has some: {float32,bfloat16}.
        -*) words=$(sed -n "s/^  \(-[^ ]*,\)\?$before [^{]*{\([^}]*\)}.*/\2/p" <<<"$help" | tr ',' '\n') ;;
        *) words=$(sed -n 's/^\([a-z][a-z0-9_.]*\)  *\[.*/\1=/p' <<<"$help") ;;
      esac ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  if [ "${#COMPREPLY[@]}" -eq 0 ]; then
    compopt -o default 2>/dev/null # files
  elif [[ ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace 2>/dev/null
  fi
}

complete -F _memlayers memlayers

if [ "$0" = "${BASH_SOURCE[0]}" ] && [ $# -gt 1 ]; then
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  _memlayers "$1" "${*: -1}" "${*: -2:1}"
  [ "${#COMPREPLY[@]}" -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
fi

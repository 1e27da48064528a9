# shellcheck shell=bash
# Options of the script that sources this file, in Kaldi's way. A script declares an option once, as a variable in lower
# case that it assigns at the beginning of a line, with a comment behind it, above the one that sources this file:
#
#   nj=8                 # how many jobs
#   check_counts=true    # whether the corpus must be whole
#   . utils/parse_options.sh
#
# Then `--nj 4`, `--nj=4` and `--check-counts false` set it, an option that begins as true or false takes nothing else,
# and --help shows the script's first comment and its options. What follows the options stays in "$@". Where a script
# sources another that sources this file, the options of both count.
# Gives the script two functions as well, die and abspath, and $last_stage, the default of its option --stop-stage.

unset CDPATH # with it, a script's `cd` to its own folder might go elsewhere

# die MESSAGE: one line on stderr under the script's name, and the end of the script.
die() {
  echo "$(basename -- "$0"): $*" >&2
  exit 1
}

# abspath NAME…: make the relative paths in these variables absolute, while the current folder is still the caller's.
abspath() {
  local _name
  for _name in "$@"; do
    case ${!_name} in
      '' | /*) ;;
      \~/*) printf -v "$_name" %s "$HOME/${!_name:2}" ;; # the shell leaves it alone in --option=~/folder
      *) printf -v "$_name" %s "$PWD/${!_name}" ;;
    esac
  done
}

# _options: the lines that declare options, those of the script that was called first.
_options() {
  local _i
  for ((_i = ${#_scripts[@]} - 1; _i >= 0; _i--)); do
    head -n "${_last_lines[_i]}" -- "${_scripts[_i]}" | grep -E '^[a-z][a-z0-9_]*=.*[[:space:]]# ' || true
  done
}

_help() {
  local _name _line _text
  awk 'NR == 1 && /^#!/ || /^# shellcheck / { next } /^#/ { sub(/^# ?/, ""); print; seen = 1; next } seen { exit }' "${_scripts[-1]}"
  printf '\nOptions:\n'
  _options | while IFS= read -r _line; do
    _name=${_line%%=*}
    _text=${_line#*[[:space:]]# }
    if [[ -n ${!_name} ]]; then _text+=" (default: ${!_name})"; fi
    printf '  --%-16s %s\n' "${_name//_/-}" "$_text"
  done
}

# _set_option --NAME VALUE
_set_option() {
  local _name=${1#--} _names
  _name=${_name//-/_}
  _names=$(_options | sed 's/=.*//')
  if [[ $'\n'$_names$'\n' != *$'\n'"$_name"$'\n'* ]]; then
    _names=$(sed 's/^/--/; s/_/-/g' <<<"$_names" | tr '\n' ' ')
    die "unknown option $1; there are ${_names% } (see --help)"
  fi
  if [[ ${!_name} =~ ^(true|false)$ && ! $2 =~ ^(true|false)$ ]]; then
    die "$1 is true or false, not '$2'"
  fi
  printf -v "$_name" %s "$2"
}

_scripts=("${BASH_SOURCE[@]:1}") # from the one that sources this file to the one that was called
_last_lines=("${BASH_LINENO[@]}")
# shellcheck disable=SC2034 # for utils/stages.sh
last_stage=${stop_stage:-}

while [[ ${1:-} == -?* ]]; do
  case $1 in
    -h | --help)
      _help
      exit 0
      ;;
    --)
      shift
      break
      ;;
    --*=*)
      _set_option "${1%%=*}" "${1#*=}"
      shift
      ;;
    --*)
      [[ $# -ge 2 && $2 != --* ]] || die "$1 needs a value (see --help)"
      _set_option "$1" "$2"
      shift 2
      ;;
    *) die "unknown option $1; options begin with -- (see --help)" ;;
  esac
done
unset _scripts _last_lines
unset -f _options _help _set_option

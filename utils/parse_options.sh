# shellcheck shell=bash
# Options of the script that sources this file, in Kaldi's way. A script declares an option once, as a variable in lower
# case that it assigns at the beginning of a line, with a comment behind it, above the one that sources this file:
#
#   nj=8                 # how many jobs
#   check_counts=true    # whether the corpus must be whole
#   . utils/parse_options.sh
#
# Then `--nj 4`, `--nj=4` and `--check-counts false` set it. An option that begins as true or false takes nothing else, one
# that begins as a number takes whole numbers alone (--nj, --train-nj, --gpu and --nodes one of them), one that begins as a path
# (/...) takes no empty one. --help shows the script's first comment and its options. What follows the options stays in
# "$@". Gives the script functions as well: die, abspath, enter and there; and, for utils/stages.sh, $last_stage, the default of
# its option --stop-stage, $_caller and $_arguments, where and with what it was called.

_caller=$PWD
_arguments=("$@")
unset CDPATH # with it, a script's `cd` to its own folder might go elsewhere

# die MESSAGE: one line on stderr under the script's name, and the end of the script.
die() {
  echo "$(basename -- "$0"): $*" >&2
  exit 1
}

[[ ${BASH_VERSINFO[0]}${BASH_VERSINFO[1]} -ge 44 ]] || die "bash 4.4 or newer is needed, and this is $BASH_VERSION"

# abspath NAME…: make the relative paths in these variables absolute, while the current folder is still the caller's.
abspath() {
  local _name
  for _name in "$@"; do
    case ${!_name} in
      *$'\n'*) die "--${_name//_/-}: a path with a line break; choose another" ;;
      '' | /*) ;;
      \~/*) # the shell leaves it alone in --option=~/folder
        [[ ${HOME-} ]] || die "${!_name}: HOME is not set; write the whole path"
        printf -v "$_name" %s "$HOME/${!_name:2}"
        ;;
      *)
        [[ $PWD != *$'\n'* ]] || die "--${_name//_/-}: this folder's path has a line break; name a path that begins with /"
        printf -v "$_name" %s "$(pwd -P)/${!_name}"
        ;;
    esac
  done
}

# enter FOLDER NAME…: go to FOLDER, the script's own. Relative paths in these variables stay those of the caller's folder;
# what lies in FOLDER is named from there, short, as one would type it, since such paths stand beside results.
enter() {
  local _name _folder=$1
  shift
  for _name in steps utils local path.sh cmd.sh; do
    [[ -e $_folder/$_name ]] || die "$_folder/$_name is missing: 'ln -s ../../$_name $_folder/' makes it"
  done
  abspath "$@"
  cd "$_folder" || die "$_folder: cannot be entered"
  for _name in "$@"; do printf -v "$_name" %s "${!_name#"$_folder"/}"; done
}

# there NAME…: die unless what these variables name, if anything, is there.
there() {
  local _name
  for _name in "$@"; do [[ -z ${!_name} || -e ${!_name} ]] || die "--${_name//_/-} ${!_name}: no such file or folder"; done
}

# _options: the lines that declare options.
_options() {
  head -n "$_last_line" -- "$_script" | grep -E '^[a-z][a-z0-9_]*=.*[[:space:]]# ' || true
}

_help() {
  local _name _line _text
  awk 'NR == 1 && /^#!/ || /^# shellcheck / { next } /^#/ { sub(/^# ?/, ""); print; seen = 1; next } seen { exit }' "$_script"
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
  if [[ ${!_name} =~ ^[0-9]+$ && ! $2 =~ ^\ *[0-9]+(\ +[0-9]+)*\ *$ ]]; then
    die "$1 '$2': expected whole numbers"
  fi
  case $_name in
    *nj | nodes) [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die "$1 '$2': expected one number, 1 or above" ;;
    gpu) [[ $2 =~ ^[0-9]{1,9}$ ]] || die "$1 '$2': expected one number" ;;
  esac
  [[ -n $2 || ${!_name} != /* ]] || die "$1 is empty: a folder is needed"
  printf -v "$_name" %s "$2"
}

_script=${BASH_SOURCE[1]} # the one that sources this file, in this line
_last_line=${BASH_LINENO[0]}
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
unset _script _last_line
unset -f _options _help _set_option

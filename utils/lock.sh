# shellcheck shell=bash
# Who works in a folder; for scripts that have die (utils/parse_options.sh).
#
# The file .lock in the folder says who holds it, for people to read; what keeps others out is the system's lock on this
# file (flock), which ends with the script and the programs that it is waiting for, however they end. So a .lock that was
# left behind is no obstacle. On a network file system it holds between machines as far as that one has locks (NFS 4
# does); where there are none, a warning is all there is.

declare -A _held=() # folder → descriptor of its lock

# hold FOLDER: keep other scripts out of FOLDER from now on; where there is one, say who it is, and end.
hold() {
  _lock "$1" -n || die "$1 is in use by $(_holder "$1"); wait for it, end it, or use another folder"
}

# wait_for FOLDER: the same, but wait until it is free.
wait_for() {
  _lock "$1" -n || {
    echo "$(basename -- "$0"): waiting for $(_holder "$1"), who works in $1"
    _lock "$1"
  }
}

# leave [FOLDER…]: let others in again (default: everywhere).
leave() {
  local folder descriptor
  [[ $# -gt 0 ]] || set -- "${!_held[@]}"
  for folder in "$@"; do
    descriptor=${_held[$folder]:-}
    [[ -n $descriptor ]] || continue
    rm -f -- "$folder/.lock"
    rmdir -- "$folder" 2>/dev/null || true # nothing came of it
    exec {descriptor}>&-
    unset "_held[$folder]"
  done
}

_lock() {
  local folder=$1 descriptor status
  shift
  while true; do
    mkdir -p -- "$folder" || die "$folder: cannot be made"
    { exec {descriptor}>>"$folder/.lock"; } 2>/dev/null || die "$folder: cannot be written to"
    status=0
    flock -E 75 "$@" "$descriptor" 2>/dev/null || status=$?
    if [[ $status -eq 75 ]]; then
      exec {descriptor}>&-
      return 1
    fi
    [[ $status -eq 0 ]] || echo "$(basename -- "$0"): $folder: its file system has no locks: see that nobody else works there" >&2
    # Whoever held it may have removed the file meanwhile, and with it the lock.
    [[ ! $folder/.lock -ef /proc/self/fd/$descriptor ]] || break
    exec {descriptor}>&-
  done
  _held[$folder]=$descriptor
  printf '%s on %s, process %s, since %s\n' "$(basename -- "$0")" "$HOSTNAME" "$$" "$(date '+%Y-%m-%d %H:%M:%S')" \
    >"$folder/.lock" || die "$folder: cannot be written to"
}

_holder() {
  local holder
  holder=$(cat -- "$1/.lock" 2>/dev/null) || true
  echo "${holder:-another script}"
}

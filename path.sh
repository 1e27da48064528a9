# shellcheck shell=bash
# path.sh: the environment. Source it in bash, from the root or through egs/<corpus>/path.sh:
#   . ./path.sh
# On the first call it makes .venv from requirements.txt, for which it needs Python 3.10 or newer and nothing else; a
# changed requirements.txt brings .venv up to date, a moved checkout has it mended; otherwise it takes no time. An environment of your own (venv, conda)
# is used instead while it is activated, provided that what requirements.txt lists is installed in it.
#
# Where the licensed corpora lie may be said once and for all in variables (in ~/.bashrc, say), as defaults of the options
# of run.sh that bear their names in lower case; none needs to be set:
#   VOXCELEB1   the folder that holds VoxCeleb1
#   VOXCELEB2   the folder that holds VoxCeleb2, to pre-train on its speakers too
#   IEMOCAP     the folder that holds IEMOCAP (IEMOCAP_full_release)

if [ -z "${BASH_VERSION:-}" ]; then
  echo "path.sh: type 'bash' first; it is sourced in bash, and this is another shell" >&2
  return 1
fi

_path() {
  local root prefix python name recent='import sys; sys.exit(sys.version_info < (3, 10))'
  # egs/<corpus>/utils is a link to utils in the root, so this is the root from either place.
  root=$(CDPATH='' builtin cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/utils/.." && builtin pwd -P) || return 1

  export LC_ALL=C PYTHONUNBUFFERED=1
  unset PYTHONHOME PYTHONINSPECT PYTHONOPTIMIZE # no environment, or no reader of archives, works with these
  case ${PYTHONPATH:-}: in
    "$root":*) ;;
    *) export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} ;;
  esac

  prefix=${VIRTUAL_ENV:-}
  if [[ -z $prefix && ${CONDA_DEFAULT_ENV:-base} != base ]]; then prefix=${CONDA_PREFIX:-}; fi
  if [[ -n $prefix && ! $prefix -ef $root/.venv ]]; then
    if ! "$prefix/bin/python" -c "$recent" 2>/dev/null; then
      echo "path.sh: the active environment $prefix has no Python 3.10 or newer: deactivate it (or make it anew)" >&2
      return 1
    fi
    "$prefix/bin/python" "$root/utils/environment.py" check "$prefix" || return 1
  else
    prefix=$root/.venv
    # The copy of requirements.txt in .venv is written when all of it is installed; its own place, since programs in it
    # hold it too, and stop working when the checkout is moved.
    if [[ ! -x $prefix/bin/python || ! -f $prefix/requirements.txt || ! -f $prefix/place ||
      "$(<"$prefix/requirements.txt")" != "$(<"$root/requirements.txt")" || ! "$(<"$prefix/place")" -ef $prefix ]]; then
      python=
      for name in python3 python3.13 python3.12 python3.11 python3.10; do
        if "$name" -c "$recent" 2>/dev/null; then
          python=$name
          break
        fi
      done
      if [[ -z $python ]]; then
        echo "path.sh: no Python 3.10 or newer in PATH (looked for python3 and python3.13 to python3.10)" >&2
        return 1
      fi
      "$python" "$root/utils/environment.py" make "$prefix" || return 1
    fi
  fi
  case $PATH: in
    "$prefix/bin":*) ;;
    *) export PATH=$prefix/bin:$PATH ;;
  esac
}

if ! _path; then
  unset -f _path
  return 1
fi
unset -f _path

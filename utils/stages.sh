# shellcheck shell=bash
# The stages of a run.sh, to be sourced after utils/parse_options.sh, which gives it $last_stage. The script declares
# the options `stage=` and `stop_stage=N` (N: its last stage), and each stage reads
#
#   if run_stage 2 "Filter-banks and VAD" data/train/feats.scp data/train/vad.scp; then
#     …
#   fi
#
# with the results that the stage has made when it is finished. Without --stage the first unfinished stage is where to
# begin, and what follows runs too. An unfinished stage keeps what it has and goes on; a finished one that is to run is
# redone: once it has checked what it was given, it calls forget_results, and counts as unfinished until it is finished
# again. (A stage that replaces its results whole, in one moment, need not.) $redo tells it whether it was finished.

# shellcheck disable=SC2154 # last_stage and stop_stage: as said above
[[ $# -eq 0 ]] || die "'$1' is no option; options begin with -- (see --help)"
for _name in stage stop_stage; do
  if [[ $_name == stop_stage || -n $stage ]] && ! [[ ${!_name} =~ ^[1-9][0-9]{0,3}$ && ${!_name} -le $last_stage ]]; then
    die "--${_name/_/-} ${!_name}: stages are 1 to $last_stage (see --help)"
  fi
done
unset _name
if [[ -n $stage && $stage -gt $stop_stage ]]; then
  die "--stage $stage comes after --stop-stage $stop_stage: nothing would run (stages are 1 to $last_stage)"
fi

_say() {
  echo "$(basename -- "$0"): $*"
}

_finished() {
  if [[ $1 -eq 1 ]]; then echo "stage 1 is finished"; else echo "stages 1 to $1 are finished"; fi
}

# run_stage NUMBER TITLE [RESULT…]: whether this stage is to run. $stage is empty until it is known where to begin.
run_stage() {
  local number=$1 title=$2 result finished=true
  shift 2
  [[ $number -le $last_stage ]] || die "stage $number comes after the default of stop_stage, $last_stage"
  [[ $number -le $stop_stage && $number -ge ${stage:-1} ]] || return 1
  [[ $# -gt 0 ]] || finished=false
  for result in "$@"; do
    [[ -e $result ]] || finished=false
  done
  if [[ -z $stage ]]; then
    if $finished; then
      [[ $number -lt $stop_stage ]] || _say "$(_finished "$number"); to redo stage N and what follows: --stage N"
      return 1
    fi
    [[ $number -eq 1 ]] || _say "$(_finished $((number - 1))); going on at stage $number"
    stage=$number
  fi
  echo "=== $(basename -- "$0"), stage $number: $title ($(date '+%Y-%m-%d %H:%M:%S')) ==="
  # shellcheck disable=SC2034 # for the stage to look at
  redo=$finished
  _results=()
  if $finished; then
    _say "finished before, and redone"
    _results=("$@")
  fi
}

# forget_results: remove the results of the stage that runs, if it was finished before.
forget_results() {
  [[ ${#_results[@]} -eq 0 ]] || rm -rf -- "${_results[@]}" || die "stage $stage: cannot remove its results"
}

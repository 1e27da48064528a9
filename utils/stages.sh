# shellcheck shell=bash
# The stages of a run.sh, to be sourced after utils/parse_options.sh, which gives it $last_stage. The script declares
# the options `stage=` and `stop_stage=N` (N: its last stage), and each stage reads
#
#   if run_stage 2 "Filter-banks and VAD" data/train/feats.scp data/train/vad.scp; then
#     …
#   fi
#
# with the results that the stage has made when it is finished. Without --stage the first stage that is unfinished or out
# of date is where to begin, and what follows runs too. An unfinished stage keeps what it has and goes on; a finished one
# that is to run is redone: once it has checked what it was given, it calls forget_results, and counts as unfinished
# until it is finished again. (A stage that replaces its results whole, in one moment, need not.) $redo tells it whether
# it was finished and is to be redone by the user's own wish.
#
# A stage is out of date when what it was made from has changed. Before it, the script calls
#
#   made_from corpus="$corpus" fbank.yaml="$conf/fbank.yaml"
#
# with the options, configurations and folders that count from here on, in this stage and all later ones; a record of
# them (utils/made_from.py) is left beside the results. A stage whose program keeps records of its own has a function
# outdated_N instead, which prints what has changed, and nothing where nothing has.

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

# shellcheck source=/dev/null
. "$(dirname -- "${BASH_SOURCE[0]}")/lock.sh"

_say() {
  echo "$(basename -- "$0"): $*"
}

_finished() {
  if [[ $1 -eq 1 ]]; then echo "stage 1 is finished"; else echo "stages 1 to $1 are finished"; fi
}

# made_from NAME=VALUE…: what this stage and those behind it are made from, besides what was named before.
_made_from=()
made_from() {
  _made_from+=("$@")
}

# _records RESULT…: where the record of a stage's results lies: in each result that is a folder, beside one that is a file.
_records() {
  local result
  for result in "$@"; do
    if [[ -d $result ]]; then echo "$result/.made_from.$number"; else echo "$(dirname -- "$result")/.made_from.$number"; fi
  done | sort -u
}

# _outdated RESULT…: what has changed since the finished stage $number was made; nothing where nothing has.
_outdated() {
  local record
  if declare -F "outdated_$number" >/dev/null; then
    "outdated_$number"
  else
    [[ ${#_made_from[@]} -eq 0 ]] || _records "$@" | while IFS= read -r record; do
      utils/made_from.py --since "$record" "${_made_from[@]}"
    done
  fi | head -n 1
}

# _ended: leave the record of the stage that has just ended well.
_ended() {
  local number=$_running record
  [[ -n $number && -n $_record ]] || return 0
  _records "${_running_results[@]}" | while IFS= read -r record; do
    if [[ -d ${record%/*} ]]; then printf '%s\n' "$_record" >"$record.new" && mv -f -- "$record.new" "$record"; fi
  done
}
_running=
_record=
_running_results=()
trap '[[ $? -ne 0 ]] || _ended; leave' EXIT

# run_stage NUMBER TITLE [RESULT…]: whether this stage is to run. $stage is empty until it is known where to begin.
_named=$stage
run_stage() {
  local number=$1 title=$2 result finished=true changed=
  shift 2
  _ended
  _running=
  [[ $number -le $last_stage ]] || die "stage $number comes after the default of stop_stage, $last_stage"
  [[ $number -le $stop_stage && $number -ge ${stage:-1} ]] || return 1
  [[ $# -gt 0 ]] || finished=false
  for result in "$@"; do
    [[ -e $result ]] || finished=false
  done
  if [[ -z $stage ]]; then
    if $finished; then changed=$(_outdated "$@"); fi
    if $finished && [[ -z $changed ]]; then
      [[ $number -lt $stop_stage ]] || _say "$(_finished "$number"); to redo stage N and what follows: --stage N"
      return 1
    fi
    if [[ -n $changed ]]; then
      _say "stage $number is out of date: $changed"
    elif [[ $number -gt 1 ]]; then
      _say "$(_finished $((number - 1))); going on at stage $number"
    fi
    stage=$number
  fi
  echo "=== $(basename -- "$0"), stage $number: $title ($(date '+%Y-%m-%d %H:%M:%S')) ==="
  # shellcheck disable=SC2034 # for the stage to look at
  redo=false
  _results=()
  if $finished; then
    _say "finished before, and redone"
    _results=("$@")
    # shellcheck disable=SC2034
    [[ -z $_named ]] || redo=true
  fi
  _running=$number
  _running_results=("$@")
  _record=
  [[ ${#_made_from[@]} -eq 0 ]] || _record=$(utils/made_from.py "${_made_from[@]}")
}

# forget_results: remove the results of the stage that runs, if it was finished before.
forget_results() {
  [[ ${#_results[@]} -eq 0 ]] || rm -rf -- "${_results[@]}" || die "stage $stage: cannot remove its results"
}

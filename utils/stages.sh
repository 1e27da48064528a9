# shellcheck shell=bash
# The stages of a run.sh, to be sourced after utils/parse_options.sh and path.sh. The script declares the options `stage=`,
# `stop_stage=N` (N: its last stage) and `exp=` (the folder that it writes to), and each stage reads
#
#   if run_stage 2 "Filter-banks and VAD"; then
#     steps/make_fbank.py --redo "$redo" data/train
#   fi
#
# Without --stage all stages are entered, and each command decides by its own record (utils/record.py) what there is to do: it
# resumes what is unfinished, makes again what is no longer true, and says why; what is finished and true it only names. With
# --stage N stages begin at N, and $redo is true: what is finished is made again.
#
# While the script runs, exp is held (utils/hold.py): a second one is told who is there. Whatever ends the script, by Ctrl-C,
# SIGTERM or otherwise, ends all that it has started, and only then is exp free. What a killed one has left in Slurm's queue
# is ended (utils/slurm_left.py) before the first stage, as it would read what is about to be changed.

# shellcheck disable=SC2154 # last_stage, _caller and _arguments are parse_options.sh's, stage and stop_stage the script's
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
if [[ ${STAGES_HELD:-} != "$PWD $exp" ]]; then
  STAGES_HELD="$PWD $exp" exec utils/hold.py --from "$_caller" "$exp" bash "$0" "${_arguments[@]}"
fi
if command -v squeue >/dev/null; then utils/slurm_left.py "$exp"; fi
# shellcheck disable=SC2034 # for the script's commands
if [[ -n $stage ]]; then redo=true; else redo=false; fi

# run_stage NUMBER TITLE: whether this stage is to run; its banner.
run_stage() {
  [[ $1 -le $last_stage ]] || die "stage $1 comes after the default of stop_stage, $last_stage"
  [[ $1 -le $stop_stage && $1 -ge ${stage:-1} ]] || return 1
  [[ ${_made_of:-} == "$(_records)" ]] ||
    die "${_made[*]}: another call has made it of other things meanwhile: start this again, with a --data of its own"
  echo "=== $(basename -- "$0"), stage $1: $2 ($(date '+%Y-%m-%d %H:%M:%S')) ===" 2>/dev/null ||
    die "standard output cannot be written: is it closed, or the disk full?"
}

# made DATA...: what a stage has made. A later stage begins only while these data dirs are of the same things: another script,
# with an exp of its own, may have made them of others.
made() {
  _made=("$@")
  _made_of=$(_records)
}

_made=()
_records() {
  local _one
  for _one in "${_made[@]}"; do cat -- "$_one"/.made_from.* 2>/dev/null || true; done
}

# given OPTION DATA: whether the folder of a corpus was given, in the variable of that name. Without one, a data dir that is
# there is taken as it is.
given() {
  [[ -z ${!1} ]] || return 0
  [[ -e $2/utt2spk ]] || die "--$1 DIR is needed: the folder of the corpus (or set ${1^^}; see path.sh)"
  echo "$2: taken as it is, as --$1 is not given"
  return 1
}

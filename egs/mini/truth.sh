#!/usr/bin/env bash
# Against the truth: in generated speech, speaker and emotion are known by construction, and the strength of the emotions
# can be set. Measures how much of each is in pool(F⁺) and pool(F⁻), and that at strength 0 nothing beats chance.
#
#   egs/mini/truth.sh [--strengths "0 1 2"] [options]
#
# Needs the extractor of egs/mini/run.sh (its stages 1 and 2). Stages:
#   1  generate a corpus of each strength              corpora/truth/<strength>
#   2  egs/iemocap/run.sh on each: train, score, probe exp/truth/<strength>
#   3  collect                                         results/{truth.tsv,README.md}
set -euo pipefail
{ # bash reads all of it before it begins: this file may be edited while it runs
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

strengths="0 0.75 1.5 2.5"     # of the emotions
systems="resnet18_pretrain_ad" # files under conf/iemocap/systems
runs=                          # of the ten; empty: all
seeds=0                        # such as "0 1"
nj=$(nproc)                    # jobs
results=$here/results          # folder for truth.tsv and README.md
stage=                         # first stage, made again where it is finished; empty: what is unfinished or no longer true
stop_stage=3                   # last stage
. "$here/../../utils/parse_options.sh"
enter "$here" results
. ./path.sh
exp=exp/truth
. utils/stages.sh

read -ra values <<<"${strengths//$'\n'/ }"
[[ -e exp/voxceleb1/resnet18/model.safetensors ]] ||
  die "exp/voxceleb1/resnet18: there is no extractor; egs/mini/run.sh --stop-stage 2 makes it"

if run_stage 1 "A corpus of each strength"; then
  for strength in "${values[@]}"; do
    local/mini.py --seed 1 --nj "$nj" --redo "$redo" --strength "$strength" iemocap "corpora/truth/$strength"
  done
fi

if run_stage 2 "egs/iemocap/run.sh"; then
  if $redo; then again=(--stage 1); else again=(); fi
  for strength in "${values[@]}"; do
    ../iemocap/run.sh --iemocap "corpora/truth/$strength" --check-counts false --pretrained exp/voxceleb1/resnet18 \
      --controls "" --systems "$systems" --runs "$runs" --seeds "$seeds" --nj "$nj" --train-nj "$nj" "${again[@]}" \
      --conf conf/iemocap --data "data/truth/$strength" --exp "exp/truth/$strength"
  done
fi

if run_stage 3 "What each space carries"; then
  steps/truth.py --strengths "$strengths" exp/truth "$results"
fi
exit
}

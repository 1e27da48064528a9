#!/usr/bin/env bash
# The whole road, from two corpora to a table of results, in minutes and with nothing to download: speech is synthesised
# in the layouts of VoxCeleb1 and IEMOCAP, and their recipes run on it with small configurations.
#
#   egs/mini/run.sh [options]
#
# Stages:
#   1  generate the corpora                                         corpora/{voxceleb1,iemocap}
#   2  egs/voxceleb1/run.sh: pre-train on speakers                  exp/voxceleb1/resnet18
#   3  egs/iemocap/run.sh: plain systems, then networks; score all  exp/iemocap/{RESULTS.md,report.html}
set -euo pipefail
{ # bash reads all of it before it begins: this file may be edited while it runs
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

systems=table2              # files under conf/iemocap/systems, and groups of conf/iemocap/groups.yaml, such as all
runs="Ses01F Ses02M Ses04F" # of the ten: what fits into a few minutes
seed=0                      # of the generated corpora
nj=$(nproc)                 # jobs
stage=                      # first stage, made again where it is finished; empty: what is unfinished or no longer true
stop_stage=3                # last stage
. "$here/../../utils/parse_options.sh"
enter "$here"
. ./path.sh
exp=exp
. utils/stages.sh

if run_stage 1 "Two corpora of synthetic speech"; then
  local/mini.py --seed "$seed" --nj "$nj" --redo "$redo" voxceleb1 corpora/voxceleb1
  local/mini.py --seed "$seed" --nj "$nj" --redo "$redo" iemocap corpora/iemocap
fi

if $redo; then again=(--stage 1); else again=(); fi # a stage that is named is made again from its first stage on

if run_stage 2 "egs/voxceleb1/run.sh"; then
  ../voxceleb1/run.sh --voxceleb1 corpora/voxceleb1 --check-counts false --nj "$nj" "${again[@]}" \
    --conf conf/voxceleb1 --data data/voxceleb1 --exp exp/voxceleb1
fi

if run_stage 3 "egs/iemocap/run.sh"; then
  ../iemocap/run.sh --iemocap corpora/iemocap --check-counts false --pretrained exp/voxceleb1/resnet18 --runs "$runs" \
    --systems "$systems" --nj "$nj" --train-nj "$nj" "${again[@]}" --conf conf/iemocap --data data/iemocap --exp exp/iemocap
  echo "The table is of three generated speakers. That the networks are not in the paper's order is explained in egs/mini/README.md."
fi
exit
}

#!/usr/bin/env bash
# The whole road, from two corpora to a table of results, in minutes and with nothing to download: speech is synthesised
# in the layouts of VoxCeleb1 and IEMOCAP, and their recipes run on it with small configurations.
#
#   egs/mini/run.sh [options]
#
# Stages:
#   1  generate the corpora                                    corpora/{voxceleb1,iemocap}
#   2  egs/voxceleb1/run.sh: pre-train on speakers             exp/voxceleb1/resnet18
#   3  egs/iemocap/run.sh: fine-tune five systems, score them  exp/iemocap/RESULTS.md
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

runs="Ses01F Ses02M Ses04F" # of the ten: what fits into a few minutes
seed=0                      # of the generated corpora
nj=$(nproc)                 # jobs
stage=                      # first stage; empty: the first unfinished one
stop_stage=3                # last stage
. "$here/utils/parse_options.sh"
cd "$here"
. ./path.sh
. utils/stages.sh
hold exp

made_from seed="$seed"
if run_stage 1 "Two corpora of synthetic speech" corpora/voxceleb1 corpora/iemocap; then
  local/mini.py --seed "$seed" --nj "$nj" voxceleb1 corpora/voxceleb1
  local/mini.py --seed "$seed" --nj "$nj" iemocap corpora/iemocap
fi

made_from fbank.yaml=conf/voxceleb1/fbank.yaml pretrain.yaml=conf/voxceleb1/pretrain.yaml
if run_stage 2 "egs/voxceleb1/run.sh" exp/voxceleb1/resnet18/model.safetensors exp/voxceleb1/resnet18/trials/result; then
  forget_results
  ../voxceleb1/run.sh --voxceleb1 corpora/voxceleb1 --check-counts false --nj "$nj" \
    --conf conf/voxceleb1 --data data/voxceleb1 --exp exp/voxceleb1
fi

if run_stage 3 "egs/iemocap/run.sh"; then
  ../iemocap/run.sh --iemocap corpora/iemocap --check-counts false --pretrained exp/voxceleb1/resnet18 --runs "$runs" \
    --nj "$nj" --conf conf/iemocap --data data/iemocap --exp exp/iemocap
fi

#!/usr/bin/env bash
# RAVDESS: the systems of the paper's Table 2 on 24 actors, in the four emotions that IEMOCAP has too.
#
#   egs/ravdess/run.sh --ravdess DIR [options]
#
# Starts from the network in pretrained/, or pre-trains on --speakers, a corpus laid out like VoxCeleb1. Six runs: 16
# actors train, 4 validate, 4 are tested, half of each women; every actor is tested once. Stages:
#   1  labels, speakers and folds                                          data/ravdess
#   2  41-dim filter-banks (40 ms Hamming, 10 ms shift) and VAD            data/ravdess/{feats,vad}.scp
#   3  plain systems, which take seconds: trained, scored, tabled          exp/<system>/<run>_seed<k>/scores
#   4  the systems, each on every run with every seed                      exp/<system>/<run>_seed<k>/scores
#   5  weighted F1, UA, WA; what the embeddings carry; a page to look at   exp/{results.json,RESULTS.md,report.html}
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

ravdess=${RAVDESS:-}  # folder that holds Actor_01 to Actor_24
classes="neutral happy angry sad" # also calm, fearful, disgust, surprised
speakers=             # corpus like VoxCeleb1: pre-train on it first, and ignore --pretrained
check_counts=true     # refuse a corpus that is not the published release
systems=table2        # files under conf/systems, and groups of conf/groups.yaml: main, ablation, related, all
controls=controls     # plain systems, trained and scored before the others; empty: none
runs=                 # runs of data/ravdess/folds; empty: all
seeds=0               # such as "0 1 2 3 4"
pretrained=$here/pretrained # folder of the pre-trained extractor
conf=$here/conf       # folder of the configuration
data=$here/data       # folder for data dirs and features
exp=$here/exp         # folder for models and scores
nj=$(nproc)           # jobs of feature extraction
train_nj=$(nproc)     # jobs that systems, runs and seeds are dealt over
stage=                # first stage, made again where it is finished; empty: what is unfinished or no longer true
stop_stage=5          # last stage
. "$here/utils/parse_options.sh"
enter "$here" ravdess speakers pretrained conf data exp
. ./path.sh
. ./cmd.sh
. utils/stages.sh
systems=$(utils/systems.py "$conf" "$systems") # groups become names; a wrong one is refused before anything is made
controls=$(utils/systems.py "$conf" "$controls")

if [[ -n $speakers ]]; then # resumes where it was; when it is finished, it only says so
  ../voxceleb1/run.sh --voxceleb1 "$speakers" --check-counts false \
    --conf "$conf/speakers" --data "$data/speakers" --exp "$exp/speakers" --nj "$nj"
  pretrained=$exp/speakers/resnet18
fi

if run_stage 1 "Data preparation: labels, speakers, folds" && given ravdess "$data/ravdess"; then
  local/ravdess.py --classes "$classes" --check-counts "$check_counts" "$ravdess" "$data/ravdess"
fi

if run_stage 2 "Filter-banks and VAD"; then
  steps/make_fbank.py --config "$conf/fbank.yaml" --redo "$redo" --nj "$nj" --cmd "$train_cmd" \
    "$data/ravdess" "$exp/make_fbank/ravdess" "$data/fbank"
  utils/validate_data_dir.py --no-text "$data/ravdess"
fi

finetune=(steps/finetune.py --config "$conf/finetune.yaml" --conf "$conf" --pretrained "$pretrained" --redo "$redo"
  --runs "$runs" --seeds "$seeds" --nj "$train_nj" --cmd "$cuda_cmd")
score=(steps/score.py --conf "$conf" --runs "$runs" --seeds "$seeds" --title RAVDESS)

if run_stage 3 "Plain systems" && [[ -n $controls ]]; then
  "${finetune[@]}" --systems "$controls" "$data/ravdess" "$exp"
  "${score[@]}" --systems "$controls" "$exp"
fi

if run_stage 4 "Fine-tuning: each run on its training speakers, scored on its test speakers"; then
  "${finetune[@]}" --systems "$systems" "$data/ravdess" "$exp"
fi

if run_stage 5 "Results"; then
  "${score[@]}" --systems "$controls $systems" "$exp"
  $cuda_cmd "$exp/log/probe.log" steps/probe.py --pretrained "$pretrained" "$data/ravdess" "$exp"
  steps/report.py --data "$data/ravdess" "$exp"
fi

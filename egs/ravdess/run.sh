#!/usr/bin/env bash
# RAVDESS: the systems of the paper's Table 2 on 24 actors, in the four emotions that IEMOCAP has too.
#
#   egs/ravdess/run.sh --ravdess DIR [options]
#
# Starts from the network in pretrained/, or pre-trains on --speakers, a corpus laid out like VoxCeleb1. Six runs: 16
# actors train, 4 validate, 4 are tested, half of each women; every actor is tested once. Stages:
#   1  labels, speakers and folds                 data/ravdess
#   2  41-dim filter-banks and VAD                data/ravdess/{feats,vad}.scp
#   3  five systems × six runs × seeds            exp/<system>/<run>_seed<k>/scores
#   4  weighted F1, UA, WA                        exp/<system>/result, exp/RESULTS.md
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
corpus=ravdess
choices=classes
extractor=$here/pretrained

ravdess=${RAVDESS:-}                     # folder that holds Actor_01 to Actor_24
classes="neutral happy angry sad"        # also calm, fearful, disgust, surprised

prepare() {
  local/ravdess.py --classes "$classes" --check-counts "$check_counts" "$ravdess" "$1"
}

. "$here/../emotion_stages.sh"

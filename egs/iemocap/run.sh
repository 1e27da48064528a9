#!/usr/bin/env bash
# IEMOCAP: attribute disentanglement for speech emotion recognition, as in the paper's Table 2.
#
#   egs/iemocap/run.sh --iemocap DIR [--pretrained DIR] [--systems "resnet18_pretrain resnet18_pretrain_ad"] [options]
#
# The network was pre-trained on speakers by egs/voxceleb1/run.sh. Ten runs, two a session: eight speakers of the other
# sessions train, one of the session validates (and so picks the epoch), the other is tested; every speaker is tested
# once. Stages:
#   1  labels, speakers, sessions and folds of the improvised utterances   data/iemocap
#   2  41-dim filter-banks (40 ms Hamming, 10 ms shift) and VAD            data/iemocap/{feats,vad}.scp
#   3  five systems × ten runs × seeds: Adam, batch 128, 50 epochs         exp/<system>/<run>_seed<k>/scores
#   4  weighted F1, UA, WA                                                 exp/<system>/result, exp/RESULTS.md
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
corpus=iemocap
choices="happy parts"

iemocap=${IEMOCAP:-}  # folder that holds Session1 to Session5
happy=hap             # which utterances are happy: hap, merge (hap and exc) or replace (exc)
parts=impro           # which dialogs: impro, script or all

prepare() {
  local/iemocap.py --happy "$happy" --parts "$parts" --check-counts "$check_counts" "$iemocap" "$1"
}

. "$here/../emotion_stages.sh"

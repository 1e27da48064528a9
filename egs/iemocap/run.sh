#!/usr/bin/env bash
# IEMOCAP: attribute disentanglement for speech emotion recognition, as in the paper's Table 2.
#
#   egs/iemocap/run.sh --iemocap DIR [--pretrained DIR] [--systems "resnet18_pretrain resnet18_pretrain_ad"] [options]
#
# The network was pre-trained on speakers by egs/voxceleb1/run.sh. Ten runs, two a session: eight speakers of the other
# sessions train, one of the session validates (and so picks the epoch), the other is tested; every speaker is tested
# once. With --folds session, five runs leave one session out each, as most published figures do; their data dir and
# results are apart, in data/session and exp/session. Stages:
#   1  labels, speakers, sessions and folds of the improvised utterances;  data/iemocap, exp/audit.json
#      what is wrong with them
#   2  41-dim filter-banks (40 ms Hamming, 10 ms shift) and VAD            data/iemocap/{feats,vad}.scp, exp/folds.csv
#   3  plain systems, which take seconds: trained, scored, tabled          exp/<system>/<run>_seed<k>/scores
#   4  the systems, each on every run with every seed                      exp/<system>/<run>_seed<k>/scores
#   5  weighted F1, UA, WA; what the embeddings carry; a page to look at   exp/{results.json,RESULTS.md,report.html}
set -euo pipefail
{ # bash reads all of it before it begins: this file may be edited while it runs
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

iemocap=${IEMOCAP:-}  # folder that holds Session1 to Session5
happy=hap             # which utterances are happy: hap, merge (hap and exc) or replace (exc)
parts=impro           # which dialogs: impro, script or all
folds=runs            # ten, each tests a speaker and selects on the partner; or session: five, which select on the next
check_counts=true     # refuse a corpus that is not the published release
force=false           # go on where the corpus makes results meaningless
systems=table2        # files under conf/systems, and groups of conf/groups.yaml: main, ablation, better, all
controls=controls     # plain systems, trained and scored before the others; empty: none
runs=                 # runs of data/iemocap/folds; empty: all
seeds=0               # such as "0 1 2 3 4"
pretrained=$here/../voxceleb1/exp/resnet18 # folder of the pre-trained extractor
conf=$here/conf       # folder of the configuration
data=$here/data       # folder for data dirs and features
exp=$here/exp         # folder for models and scores
nj=$(nproc)           # jobs of feature extraction
train_nj=$(nproc)     # jobs that systems, runs and seeds are dealt over
stage=                # first stage, made again where it is finished; empty: what is unfinished or no longer true
stop_stage=5          # last stage
. "$here/../../utils/parse_options.sh"
enter "$here" iemocap pretrained conf data exp
[[ $folds == runs ]] || data=$data/$folds exp=$exp/$folds title="IEMOCAP, by $folds"
. ./path.sh
. ./cmd.sh
. utils/stages.sh
there conf
finetune() { # SYSTEMS [OPTION…]
  steps/finetune.py --config "$conf/finetune.yaml" --conf "$conf" --pretrained "$pretrained" --redo "$redo" \
    --runs "$runs" --seeds "$seeds" --nj "$train_nj" --cmd "$cuda_cmd" --systems "$@" "$data/iemocap" "$exp"
}
# What is wrong with systems, or not there, is refused before anything is made.
((stop_stage < 3)) || finetune "$controls $systems" --check true

if run_stage 1 "Data preparation: labels, speakers, sessions, folds; what is wrong with them"; then
  if given iemocap "$data/iemocap"; then
    local/iemocap.py --happy "$happy" --parts "$parts" --folds "$folds" --check-counts "$check_counts" \
      --redo "$redo" "$iemocap" "$data/iemocap"
  fi
  made "$data/iemocap"
  utils/make_folds.py --runs "$runs" "$data/iemocap"
  steps/audit.py --force "$force" "$data/iemocap" "$exp"
fi

if run_stage 2 "Filter-banks and VAD; what is wrong with the sound"; then
  steps/make_fbank.py --config "$conf/fbank.yaml" --redo "$redo" --nj "$nj" --cmd "$train_cmd" \
    "$data/iemocap" "$exp/make_fbank/iemocap" "$data/fbank"
  made "$data/iemocap"
  utils/validate_data_dir.py --no-text "$data/iemocap"
  utils/make_folds.py --csv "$exp/folds.csv" "$data/iemocap"
  steps/audit.py --force "$force" "$data/iemocap" "$exp"
fi

score=(steps/score.py --conf "$conf" --runs "$runs" --seeds "$seeds" --title "${title:-IEMOCAP}")

if run_stage 3 "Plain systems" && [[ -n $controls ]]; then
  finetune "$controls"
  "${score[@]}" --systems "$controls" "$exp"
fi

if run_stage 4 "Fine-tuning: each run on its training speakers, scored on its test speakers" && [[ -n $systems ]]; then
  finetune "$systems"
fi

if run_stage 5 "Results"; then
  "${score[@]}" --systems "$controls $systems" "$exp"
  [[ -z $systems ]] || $cuda_cmd "$exp/log/probe.log" steps/probe.py --pretrained "$pretrained" "$data/iemocap" "$exp"
  steps/report.py --data "$data/iemocap" "$exp"
fi
exit
}

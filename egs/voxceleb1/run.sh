#!/usr/bin/env bash
# VoxCeleb1: a ResNet18 that tells speakers apart, for egs/iemocap to start from.
#
#   egs/voxceleb1/run.sh --voxceleb1 DIR [--voxceleb2 DIR] [--exclude-speakers FILE] [options]
#
# Stages:
#   1  speakers, videos, trials; one video of each speaker is held out      data/{train,heldout,test}
#   2  41-dim filter-banks (40 ms Hamming, 10 ms shift) and VAD             data/*/{feats,vad}.scp
#      with --augment, changed copies for training, and both together       data/train_{copies,combined}
#   3  pre-training: softmax over speakers, random crops of 3 s             exp/resnet18/{model.safetensors,config.yaml}
#   4  accuracy on the held-out videos; EER and minDCF of the trials        exp/resnet18/{result,trials/result}
set -euo pipefail
{ # bash reads all of it before it begins: this file may be edited while it runs
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

voxceleb1=${VOXCELEB1:-}  # folder that holds dev/wav and test/wav, or one wav; any format of sound
voxceleb2=${VOXCELEB2:-}  # folder that holds VoxCeleb2's dev/aac, to train on its speakers too; empty: without
exclude_speakers=         # file of speakers to leave out of training, one a line
check_counts=true         # refuse a corpus that is not the published release
augment=                  # kinds of copies to train on too: "speed noise" (see utils/augment_data_dir.py); empty: none
musan=                    # folder of MUSAN, with noise and music for copies; empty: they are made by formula
rirs=                     # folder of RIRS_NOISES, with impulse responses for copies; empty: they are made by formula
conf=$here/conf           # folder of the configuration
data=$here/data           # folder for data dirs and features
exp=$here/exp             # folder for the model
nj=$(nproc)               # jobs of feature extraction
gpu=1                     # GPUs of each machine for pre-training, a process each (see training.bn_group)
nodes=1                   # machines for pre-training
stage=                    # first stage, made again where it is finished; empty: what is unfinished or no longer true
stop_stage=4              # last stage
. "$here/../../utils/parse_options.sh"
enter "$here" voxceleb1 voxceleb2 exclude_speakers musan rirs conf data exp
. ./path.sh
. ./cmd.sh
. utils/stages.sh
there exclude_speakers musan rirs conf
train=$data/train
if [[ -n $augment ]]; then train=$data/train_combined; fi

if run_stage 1 "Data preparation: speakers, videos, trials" && given voxceleb1 "$data/train"; then
  local/voxceleb1.py --check-counts "$check_counts" ${voxceleb2:+--voxceleb2 "$voxceleb2"} \
    ${exclude_speakers:+--exclude-speakers "$exclude_speakers"} --redo "$redo" "$voxceleb1" "$data"
  made "$data"/{train,heldout,test}
fi

if run_stage 2 "Filter-banks and VAD"; then
  for set in train ${augment:+train_copies} heldout test; do
    if [[ $set == train_copies ]]; then
      utils/augment_data_dir.py --kinds "$augment" --musan "$musan" --rirs "$rirs" "$data/train" "$data/train_copies"
    fi
    [[ -e $data/$set ]] || continue
    steps/make_fbank.py --config "$conf/fbank.yaml" --redo "$redo" --nj "$nj" --cmd "$train_cmd" \
      "$data/$set" "$exp/make_fbank/$set" "$data/fbank"
    utils/validate_data_dir.py --no-text "$data/$set"
  done
  if [[ -n $augment ]]; then utils/combine_data.py "$train" "$data/train" "$data/train_copies"; fi
  made "$train" "$data"/{heldout,test}
fi

if run_stage 3 "Pre-training on speakers"; then
  steps/pretrain.py --config "$conf/pretrain.yaml" --redo "$redo" --cmd "$cuda_cmd --gpu $gpu --nodes $nodes" \
    "$train" "$data/heldout" "$exp/resnet18"
fi

if run_stage 4 "Speaker accuracy, EER and minDCF"; then
  [[ -f $exp/resnet18/result ]] || die "$exp/resnet18/result: no such file; --stage 3 makes it"
  cat "$exp/resnet18/result"
  if [[ -e $data/test/trials ]]; then
    # shellcheck disable=SC2086
    $cuda_cmd "$exp/resnet18/log/embed.log" steps/embed.py "$exp/resnet18" "$data/test" "$exp/resnet18/embeddings/test"
    steps/score_trials.py "$data/test/trials" "$exp/resnet18/embeddings/test/embedding.scp" "$exp/resnet18/trials"
  else
    echo "There is no trial list, and so no EER."
  fi
fi
exit
}

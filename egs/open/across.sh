#!/usr/bin/env bash
# Several emotional corpora set against each other: each by itself; trained on each and tested on every other; on all but
# one and tested on that; on all together.
#
#   egs/open/across.sh --corpora "ravdess=DIR crema-d=DIR mine=my.tsv" [options]
#
# NAME=DIR is an open corpus (run.sh --corpus list), NAME=FILE a table of recordings; no blanks in paths. What names the
# corpus is made alike first: the band (filter-banks end where the poorest recording does); in training, what corpora and
# their classes count; and the level, in systems that take it away, such as svm_level.
#
# SET is the names of the corpora, joined by "+". Stages:
#   1  labels, speakers and folds of each; what is wrong with it          data/across/SET/<corpus>
#   2  filter-banks and VAD in the band of all; who trains and is tested  data/across/SET/{all,protocols}
#   3  the systems, each on every protocol: trained and scored            exp/across/SET/<protocol>/<system>
#   4  the matrix: wF1 and UA by what was trained on and tested           exp/across/SET/{README.md,across.json,figures}
#   5  a model to use, of all speakers: steps/predict.py --model DIR      exp/across/SET/model
set -euo pipefail
{ # bash reads all of it before it begins: this file may be edited while it runs
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

corpora=              # NAME=DIR or NAME=FILE, of each corpus
map=                  # labels of tables: "<label>=<class> ...", others are left out, or a YAML file of such
classes="ang hap neu sad" # classes to take of each; those that only some have are tested where they are
check_counts=true     # refuse a corpus that is not the published release
force=false           # go on where a corpus makes results meaningless
edge=                 # upper edge of the filter-banks in Hz; empty: the highest that all recordings have
systems="descriptors descriptors_mlp descriptors_speaker svm svm_level" # files under conf/systems, and groups of conf/groups.yaml
embeddings=           # vectors (emb.scp, .npz, folder of peers) of data/across/SET/all, which stage 2 makes, for given_svm and such
seeds=0               # such as "0 1 2 3 4"
pretrained=$here/pretrained # folder of the pre-trained extractor
conf=$here/conf       # folder of the configuration
data=$here/data/across # folder for data dirs and features
exp=$here/exp/across  # folder for models and scores
nj=$(nproc)           # jobs of feature extraction
train_nj=$(nproc)     # jobs that systems, runs and seeds are dealt over
stage=                # first stage, made again where it is finished; empty: what is unfinished or no longer true
model=descriptors_mlp # file under conf/systems that the model to use is made by; empty: none
stop_stage=5          # last stage
. "$here/../../utils/parse_options.sh"
enter "$here" embeddings pretrained conf data exp
. ./path.sh
. ./cmd.sh
[[ -z $map || $map != *.y*ml || $map == /* ]] || map=$_caller/$map
read -ra pairs <<<"${corpora//$'\n'/ }"
[[ -n $systems ]] || die "--systems is empty: name at least one"
[[ ${#pairs[@]} -ge 2 ]] || die "--corpora \"NAME=DIR NAME=DIR ...\": at least two are needed"
names=() places=() taken=" "
own="all copies fbank others protocols training" # folders and rows of the table that are none of a corpus
for pair in "${pairs[@]}"; do
  [[ $pair =~ ^[A-Za-z0-9][A-Za-z0-9._-]*=.+$ ]] || die "--corpora: '$pair' is not NAME=DIR or NAME=FILE (no blanks in paths; a link helps)"
  place=${pair#*=}
  case $place in
    \~/*) place=${HOME-}/${place:2} ;; # the shell leaves it alone behind NAME=
    /*) ;;
    *) place=$_caller/$place ;;
  esac
  name=${pair%%=*}
  [[ " $own " != *" $name "* ]] || die "--corpora: '$pair': the name '$name' is taken, as are: $own"
  # Speakers are called <name>_<speaker>, where a "-" of the name is a "_", too.
  [[ $taken != *" ${name//-/_} "* ]] || die "--corpora: '$pair': another corpus is called so, too ('-' counts as '_')"
  taken+="${name//-/_} "
  names+=("$name") places+=("$place")
done
set=$(IFS=+ && echo "${names[*]}") # other corpora are other protocols, in another band
data=$data/$set exp=$exp/$set
folders=()
for name in "${names[@]}"; do folders+=("$data/$name"); done
. utils/stages.sh
there embeddings conf
finetune() { # SYSTEMS PROTOCOL EXP [OPTION…]
  steps/finetune.py --config "$conf/finetune.yaml" --training.corpus_balanced true --training.class_balanced true \
    --conf "$conf" --lenient true --embeddings "$embeddings" --pretrained "$pretrained" --redo "$redo" \
    --seeds "$seeds" --nj "$train_nj" --cmd "$cuda_cmd" --systems "$@"
}
# What is wrong with systems, or not there, is refused before anything is made.
[[ -z $model || -f $conf/systems/$model.yaml ]] || die "--model $model: $conf/systems/$model.yaml is not there"
((stop_stage < 3)) || finetune "$systems" "$data" "$exp" --check true

if run_stage 1 "Data preparation: labels, speakers, folds; what is wrong with them"; then
  for k in "${!names[@]}"; do # all, before the first is read
    [[ -e ${places[k]} ]] || die "--corpora: '${pairs[k]}': ${places[k]} is not there"
    [[ -f ${places[k]} || -f local/open/${names[k]}.yaml ]] ||
      die "--corpora: '${names[k]}' is no corpus of local/open (run.sh --corpus list), and ${places[k]} no table"
  done
  for k in "${!names[@]}"; do
    corpus=${names[k]} place=${places[k]}
    if [[ -f $place ]]; then source=(--table "$place" --map "$map"); else source=(--corpus "$corpus" --dir "$place"); fi
    local/open.py "${source[@]}" --classes "$classes" --check-counts "$check_counts" --beside-others "$corpus" \
      --segments true --redo "$redo" "$data/$corpus"
    made "${folders[@]:0:k+1}"
    steps/audit.py --force "$force" "$data/$corpus" "$exp/audit/$corpus"
  done
fi

if run_stage 2 "Filter-banks and VAD, in the band of all; who trains and is tested"; then
  edge=${edge:-$(local/across.py edge "${folders[@]}")}
  echo "filter-banks end at $edge Hz"
  for corpus in "${names[@]}"; do
    steps/make_fbank.py --config "$conf/fbank.yaml" --fbank.high_freq "$edge" --redo "$redo" --nj "$nj" \
      --cmd "$train_cmd" "$data/$corpus" "$exp/make_fbank/$corpus" "$data/fbank"
    utils/validate_data_dir.py --no-text "$data/$corpus"
    steps/audit.py --force "$force" "$data/$corpus" "$exp/audit/$corpus"
  done
  utils/combine_data.py "$data/all" "${folders[@]}"
  made "${folders[@]}" "$data/all"
  local/across.py protocols "$data/all" "$data/protocols"
fi

if run_stage 3 "The systems, on every protocol"; then
  for protocol in "$data"/protocols/*/; do
    finetune "$systems" "$protocol" "$exp/$(basename "$protocol")"
  done
fi

if run_stage 4 "The matrix"; then
  steps/across.py "$data/all" "$exp"
fi

if run_stage 5 "A model to use" && [[ -n $model ]]; then
  local/across.py about "${names[@]}" >"$exp/about.yaml"
  utils/copy_data_dir.py "$data/all" "$data/training"
  rm -f "$data/training/folds" # else copies would be made of those alone who train in a run
  utils/augment_data_dir.py --kinds "noise reverb telephone babble" --noise_snr "[5, 30]" "$data/training" "$data/copies"
  steps/make_fbank.py --config "$data/all/fbank.yaml" --redo "$redo" --nj "$nj" --cmd "$train_cmd" \
    "$data/copies" "$exp/make_fbank/copies" "$data/fbank"
  steps/make_model.py --system "$conf/systems/$model.yaml" --copies "$data/copies" --about "$exp/about.yaml" \
    --redo "$redo" "$data/all" "$exp/model"
fi
exit
}

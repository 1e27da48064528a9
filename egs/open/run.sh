#!/usr/bin/env bash
# Any other emotional corpus: an open one by its name, or a table of your own recordings.
#
#   egs/open/run.sh --corpus NAME --dir DIR [options]           (--corpus list: which there are)
#   egs/open/run.sh --table my.tsv [--map "anger=ang happiness=hap neutral=neu sadness=sad"] [options]
#   egs/open/run.sh --corpora "NAME=DIR NAME=my.tsv" [options]  several, across each other: across.sh --help
#
# A table has columns path, speaker and emotion; optionally gender, session, sentence, begin, end, fold. Other headers are
# known, too (local/open.py --help). Networks start from the one in pretrained/, or from one that is pre-trained on
# --speakers, a corpus laid out like VoxCeleb1. Each run trains on some speakers, validates on others, tests others.
# NAME is the corpus's or the table's. Stages:
#   1  labels, speakers, folds; what is wrong with the corpus              data/NAME, exp/NAME/audit.json
#   2  41-dim filter-banks (40 ms Hamming, 10 ms shift) and VAD            data/NAME/{feats,vad}.scp, exp/NAME/folds.csv
#   3  plain systems, which take seconds: trained, scored, tabled          exp/NAME/<system>/<run>_seed<k>/scores
#   4  the systems, each on every run with every seed                      exp/NAME/<system>/<run>_seed<k>/scores
#   5  weighted F1, UA, WA; what the embeddings carry; a page to look at   exp/NAME/{results.json,RESULTS.md,report.html}
set -euo pipefail
{ # bash reads all of it before it begins: this file may be edited while it runs
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

corpus=               # an open corpus by its name; list: which there are
table=                # a table of recordings instead
# shellcheck disable=SC2034 # handed over below
corpora=              # several corpora or tables instead, NAME=DIR or NAME=FILE
dir=                  # the corpus's folder; where a table's paths begin, if not in its own
map=                  # a table's labels: "<label>=<class> ...", others are left out, or a YAML file of such
classes=              # classes to take; empty: ang hap neu sad of a corpus, all of a table
speaker=              # for a table without speakers: regular expression whose group, in the path, is the speaker
folds=                # number of runs, loso or session; empty: the corpus's or the table's own, else balanced ones
check_counts=true     # refuse a corpus that is not the published release
force=false           # go on where the corpus makes results meaningless
embeddings=           # vectors of your own (emb.scp or .npz): linear systems are scored on them, too; a folder: of peers
speakers=             # corpus like VoxCeleb1: pre-train on it first, and ignore --pretrained
systems=table2        # files under conf/systems, and groups of conf/groups.yaml: main, ablation, better, all
controls=controls     # plain systems, trained and scored before the others; empty: none
runs=                 # runs of data/NAME/folds; empty: all
seeds=0               # such as "0 1 2 3 4"
pretrained=$here/pretrained # folder of the pre-trained extractor
conf=$here/conf       # folder of the configuration
data=$here/data       # folder for data dirs and features
exp=$here/exp         # folder for models and scores
name=                 # NAME, if it is to be another
nj=$(nproc)           # jobs of feature extraction
train_nj=$(nproc)     # jobs that systems, runs and seeds are dealt over
stage=                # first stage, made again where it is finished; empty: what is unfinished or no longer true
stop_stage=5          # last stage
for word in "$@"; do # several corpora have options of their own
  [[ $word != --corpora && $word != --corpora=* ]] || exec "$here/across.sh" "$@"
done
. "$here/../../utils/parse_options.sh"
enter "$here" dir table embeddings speakers pretrained conf data exp
. ./path.sh
. ./cmd.sh
[[ $corpus != list ]] || exec local/open.py --corpus list
[[ -n $corpus$table$name ]] || die "--corpus NAME --dir DIR or --table FILE is needed (see --help)"
there embeddings conf
[[ -z $corpus || -z $table ]] || die "--corpus and --table: one of them"
[[ -z $map || $map != *.y*ml || $map == /* ]] || map=$_caller/$map
if [[ -z $name ]]; then name=${table##*/} name=${corpus:-${name%.*}}; fi
[[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$ ]] || die "--name '$name': letters, digits, '.', '_' and '-', at most 100"
[[ " across fbank speakers " != *" $name "* ]] || die "--name '$name': is the name of a folder of this recipe's own: choose another"
title=$name data=$data/$name exp=$exp/$name
. utils/stages.sh
if [[ -d $embeddings ]]; then controls+=" peers"; elif [[ -n $embeddings ]]; then controls+=" given"; fi
finetune() { # SYSTEMS [OPTION…]
  steps/finetune.py --config "$conf/finetune.yaml" --conf "$conf" --pretrained "$pretrained" --embeddings "$embeddings" \
    --redo "$redo" --runs "$runs" --seeds "$seeds" --nj "$train_nj" --cmd "$cuda_cmd" --systems "$@" "$data" "$exp"
}
# What is wrong with systems, or not there, is refused before anything is made.
if [[ -n $speakers ]]; then pretrained=; fi
((stop_stage < 3)) || finetune "$controls $systems" --check true

if [[ -n $speakers ]]; then # resumes where it was; when it is finished, it only says so
  ../voxceleb1/run.sh --voxceleb1 "$speakers" --check-counts false \
    --conf "$conf/speakers" --data "${data%/*}/speakers" --exp "${exp%/*}/speakers" --nj "$nj"
  pretrained=${exp%/*}/speakers/resnet18
fi

if run_stage 1 "Data preparation: labels, speakers, folds; what is wrong with them"; then
  [[ -z $corpus$table ]] || local/open.py ${corpus:+--corpus "$corpus"} ${table:+--table "$table"} ${dir:+--dir "$dir"} \
    --map "$map" --classes "$classes" --speaker "$speaker" --folds "$folds" --check-counts "$check_counts" \
    --redo "$redo" "$data"
  made "$data"
  utils/make_folds.py --runs "$runs" "$data"
  steps/audit.py --force "$force" "$data" "$exp"
fi

if run_stage 2 "Filter-banks and VAD; what is wrong with the sound"; then
  steps/make_fbank.py --config "$conf/fbank.yaml" --redo "$redo" --nj "$nj" --cmd "$train_cmd" \
    "$data" "$exp/make_fbank" "${data%/*}/fbank"
  made "$data"
  utils/validate_data_dir.py --no-text "$data"
  utils/make_folds.py --csv "$exp/folds.csv" "$data"
  steps/audit.py --force "$force" "$data" "$exp"
fi

score=(steps/score.py --conf "$conf" --runs "$runs" --seeds "$seeds" --title "$title")

if run_stage 3 "Plain systems" && [[ -n $controls ]]; then
  finetune "$controls"
  "${score[@]}" --systems "$controls" "$exp"
fi

if run_stage 4 "Fine-tuning: each run on its training speakers, scored on its test speakers" && [[ -n $systems ]]; then
  finetune "$systems"
fi

if run_stage 5 "Results"; then
  "${score[@]}" --systems "$controls $systems" "$exp"
  [[ -z $systems ]] || $cuda_cmd "$exp/log/probe.log" steps/probe.py --pretrained "$pretrained" "$data" "$exp"
  steps/report.py --data "$data" "$exp"
fi
exit
}

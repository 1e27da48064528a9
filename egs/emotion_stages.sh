# shellcheck shell=bash
# The stages that every emotion recipe has in common, sourced at the end of egs/<corpus>/run.sh, which says beforehand
#   here            its own folder
#   corpus          the corpus's name: that of its data dir, of local/<corpus>.py and of the option --<corpus> DIR
#   prepare DATA    (a function) how the data dir DATA is made
#   choices         the options of its own that DATA depends on, such as "happy parts", if it has any
#   extractor       the folder of a pre-trained extractor that comes with it, if one does
# shellcheck disable=SC2154 # here and corpus, as just said

systems=table2                         # files under conf/systems, and groups of conf/groups.yaml: ablation, related, all
runs=                                  # runs of data/<corpus>/folds; empty: all
seeds=0                                # such as "0 1 2 3 4"
pretrained=${extractor:-${here%/*}/voxceleb1/exp/resnet18} # folder of the pre-trained extractor
speakers=                              # corpus like VoxCeleb1: pre-train on it first, and ignore --pretrained
conf=$here/conf                        # folder of the configuration
data=$here/data                        # folder for data dirs and features
exp=$here/exp                          # folder for models and scores
check_counts=true                      # refuse a corpus that is not the published release
nj=$(nproc)                            # jobs of feature extraction
train_nj=$(nproc)                      # jobs that systems, runs and seeds are dealt over
stage=                                 # first stage; empty: the first unfinished one
stop_stage=4                           # last stage
. "$here/utils/parse_options.sh"
abspath "$corpus" pretrained speakers conf data exp
cd "$here"
. ./path.sh
. ./cmd.sh
. utils/stages.sh
for place in pretrained conf data exp; do # short, as one would type it: these paths come to stand beside results
  printf -v "$place" %s "${!place#"$here"/}"
done
[[ $seeds =~ ^\ *(0|[1-9][0-9]*)(\ +(0|[1-9][0-9]*))*\ *$ ]] || die "--seeds '$seeds': expected whole numbers separated by spaces"
hold "$exp"

if [[ -n $speakers ]]; then # goes on from where it was; when it is finished, it only says so
  ../voxceleb1/run.sh --voxceleb1 "$speakers" --check-counts false \
    --conf "$conf/speakers" --data "$data/speakers" --exp "$exp/speakers" --nj "$nj"
  pretrained=$exp/speakers/resnet18
fi
set_dir=$data/$corpus
systems=$(utils/systems.py "$conf" "$systems")
wait_for "$data"
read -ra names <<<"$systems"
[[ ${#names[@]} -gt 0 ]] || die "--systems is empty: name files under $conf/systems"

made_from "$corpus?=${!corpus}"
for name in ${choices:-}; do made_from "$name=${!name}"; done
if run_stage 1 "Data preparation: labels, speakers, sessions, folds" "$set_dir/utt2spk"; then
  [[ -n ${!corpus} ]] || die "--$corpus DIR is needed: the folder of the corpus (or set ${corpus^^}; see path.sh)"
  prepare "$set_dir"
fi

made_from fbank.yaml="$conf/fbank.yaml"
if run_stage 2 "Filter-banks and VAD" "$set_dir/feats.scp" "$set_dir/frame_shift"; then
  steps/make_fbank.py --config "$conf/fbank.yaml" --nj "$nj" --cmd "$train_cmd" \
    "$set_dir" "$exp/make_fbank/$corpus" "$data/fbank"
  utils/validate_data_dir.py --no-text "$set_dir"
fi

leave "$data"

# Every run of every system with every seed leaves its own score file.
[[ -n $runs || ! -e $set_dir/folds ]] || runs=$(cut -d' ' -f1 "$set_dir/folds" | uniq | paste -sd' ')
score_files=()
for system in "${names[@]}"; do
  for run in $runs; do
    for seed in $seeds; do score_files+=("$exp/$system/${run}_seed$seed/scores"); done
  done
done

finetune() {
  steps/finetune.py --config "$conf/finetune.yaml" --systems-dir "$conf/systems" --systems "$systems" \
    --pretrained "$pretrained" --runs "$runs" --seeds "$seeds" "$@" "$set_dir" "$exp"
}
outdated_3() { # finetune.py keeps the records
  finetune --check true
}

if run_stage 3 "Fine-tuning: each run on its training speakers, scored on its test speakers" "${score_files[@]}"; then
  # One array of jobs, each with its share of what is not finished; a cluster does the whole table at once.
  finetune --redo "$redo" --nj "$train_nj" --cmd "$cuda_cmd"
fi

if run_stage 4 "Results: tables, what the embeddings carry, a page to look at"; then
  if [[ -e $pretrained/model.safetensors && ! $exp/pretrained/embedding.scp -nt $pretrained/model.safetensors ]]; then
    # shellcheck disable=SC2086
    $cuda_cmd --num-threads 1 "$exp/pretrained/log/embed.log" steps/embed.py "$pretrained" "$set_dir" "$exp/pretrained"
  fi
  steps/probe.py --systems "$systems pretrained" "$set_dir" "$exp"
  options=(--systems "$systems" --runs "$runs" --seeds "$seeds" --conf "$conf" --title "Emotion on $corpus")
  steps/score.py "${options[@]}" "$exp"
  steps/report.py "${options[@]}" --data "$set_dir" "$exp"
fi

# shellcheck shell=bash
# cmd.sh: where jobs run; the one file to edit on a new machine. A step starts its jobs as
#   $train_cmd [--gpu N] [--nodes N] [--mem 4G] [--num-threads N] [--time T] [JOB=1:n] LOG COMMAND...
# Any of these options, and those that utils/run.py --help or utils/slurm.py --help tell of, may stand here; what a step
# asks for itself comes after them and wins. Take one of these lines:

# This machine: as many jobs at once as it has CPUs or GPUs, and on the CPU where there is no GPU.
runner="utils/run.py"

# A machine with GPUs; two small networks share one, as one alone leaves most of it idle:
# runner="utils/run.py --jobs-per-gpu 2"

# A Slurm cluster; any option of sbatch may follow, in its own words:
# runner="utils/slurm.py --partition gpu --account mine --time 8:00:00"

# --mem is for the queue. Training maps its inputs into memory, however large: pages that the system may take back.
export train_cmd="$runner --mem 1G"         # work on CPUs: features
export cuda_cmd="$runner --mem 2G --gpu 1"  # networks; on a cluster without GPUs, also --num-threads 8, say

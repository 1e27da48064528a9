# shellcheck shell=bash
# cmd.sh: where jobs run; the one file to edit on a new machine. A step starts its jobs as
#   $train_cmd [--gpu N] [--mem 4G] [--num-threads N] [--time T] [JOB=1:n] LOG COMMAND...
# and utils/run.py runs them on this machine, as many at once as it has CPUs or GPUs (see utils/run.py --help for the
# options that may stand here). On a cluster, name instead a command that takes the same arguments and hands them to the
# queue, with the queue's own options behind it.

export train_cmd="utils/run.py"         # work on CPUs: features, VAD, scoring
export cuda_cmd="utils/run.py --gpu 1"  # networks: a GPU for each job, and the CPU where there is none

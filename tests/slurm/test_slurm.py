"""utils/slurm.py as its users meet it, on a real Slurm: what it says, its logs, what it asks the scheduler for."""

import time
from pathlib import Path

import pytest

from tests.slurm.conftest import LARGEST_ARRAY, ROOT, output_of, run, start


def test_a_single_job_is_seen_live_and_its_log_says_what_happened(cluster):
    runner = start(
        "--num-threads", "2", "exp/log/a.log", "bash", "-c", "echo $1; until [ -e go ]; do sleep 0.1; done", "-", "x y"
    )
    assert runner.stdout.readline().startswith("slurm.py: submitted as Slurm job ")
    assert runner.stdout.readline() == "x y\n"
    Path("go").touch()
    began = time.monotonic()
    assert runner.communicate(timeout=60)[0] == "" and runner.returncode == 0
    assert time.monotonic() - began < 3, "its end is seen at once"
    lines = Path("exp/log/a.log").read_text().splitlines()
    assert [line.split()[1] for line in lines[:4]] == ["Host:", "Started", "Git", "Command:"]
    assert "Slurm job" in lines[0] and lines[3].endswith("- 'x y'")
    assert lines[4] == "x y" and lines[5].endswith(" threads=2") and lines[6].startswith("# Ended (code 0) at ")
    assert not Path("exp/log/q").exists(), "nothing else is left behind"


def test_arrays_as_large_as_the_site_allows(cluster):
    """More jobs than an array may have; the words and the numbers that the variable stands for."""
    n = LARGEST_ARRAY + 2
    done = run(f"JOB=3:{n + 2}", "log/x.JOB.log", "echo", "a.JOB.ark", "JOBS", "--part=JOB")
    for job in range(3, n + 3):
        assert output_of(f"log/x.{job}.log") == [f"a.{job}.ark JOBS --part={job}"]
    assert done.stdout.count("submitted as Slurm job") == 2 and f"slurm.py: {n} / {n} done in " in done.stdout
    run("SYSTEM=vgg5,res%net", "exp/SYSTEM/log/x.log", "echo", "conf/SYSTEM.yaml")
    assert output_of("exp/res%net/log/x.log") == ["conf/res%net.yaml"]
    assert not Path("exp/q").exists()


def test_what_is_asked_for_reaches_the_scheduler_and_the_whole_environment_the_job(cluster, monkeypatch):
    monkeypatch.setenv("MY_OWN", "a 'b' $c")
    options = ["--mem", "300M", "--num-threads=3", "--time", "1:30:00", "-p", "debug", "--exclusive", "--nice=5"]
    show = "scontrol -o show job $SLURM_JOB_ID | tr ' ' '\\n'; echo MY_OWN=$MY_OWN OMP=$OMP_NUM_THREADS; pwd"
    lines = run(*options, "log/a.log", "bash", "-c", show).stdout.splitlines()
    for wanted in (
        "MinMemoryNode=300M",
        "CPUs/Task=3",
        "TimeLimit=01:30:00",
        "Partition=debug",
        "OverSubscribe=NO",
        "Nice=5",
        "JobName=a",
    ):
        assert wanted in lines, lines
    assert lines[-2:] == ["MY_OWN=a 'b' $c OMP=3", str(Path.cwd())]
    lines = run("b.log", "bash", "-c", show).stdout.splitlines()
    assert {"CPUs/Task=1", "MinMemoryCPU=512M"} <= set(lines), "the site's defaults"
    assert {"TimeLimit=UNLIMITED", "TimeLimit=365-00:00:00"} & set(lines), "which says the same"


def test_max_jobs_run_bounds_what_runs_at_once(cluster):
    script = "touch on.JOB; sleep 0.3; ls on.* | wc -l; sleep 0.3; rm on.JOB"
    run("--max-jobs-run", "2", "JOB=1:4", "x.JOB.log", "bash", "-c", script)
    assert max(int(output_of(f"x.{n}.log")[0]) for n in range(1, 5)) == 2


def test_a_failure_names_the_first_failing_log_and_pick_failed_runs_those_alone(cluster):
    words = [
        "JOB=1:4",
        "log/x.JOB.log",
        "bash",
        "-c",
        "echo JOB >> ran; echo this is JOB; [ JOB != 3 ] || [ -e mended ] || exit 7",
    ]
    done = run(*words, code=1)
    lines = done.stderr.splitlines()
    assert lines[:2] == ["slurm.py: 1 / 4 failed, log is in log/x.*.log", "==> log/x.3.log <=="]
    assert lines[-1].startswith("# Ended (code 7) at ") and "this is 3" in lines
    Path("mended").touch()
    Path("ran").unlink()
    assert "4 / 4 done (3 before)" in run("--pick", "failed", *words).stdout
    assert Path("ran").read_text() == "3\n"


def test_a_command_that_cannot_start_is_a_failed_job(cluster):
    run("a.log", "nowhere", "--x", code=1)
    assert output_of("a.log") == ["nowhere: No such file or directory"]
    assert "# Ended (code 127) at " in Path("a.log").read_text()


def test_each_gpu_job_has_a_device_of_its_own(cluster):
    """Two nodes of two each: of five jobs, four run at once."""
    script = "own=$SLURMD_NODENAME.$CUDA_VISIBLE_DEVICES; mkdir lock.$own && sleep 0.5 && rmdir lock.$own && echo $own"
    run("--gpu", "1", "JOB=1:5", "x.JOB.log", "bash", "-c", script)
    assert len({output_of(f"x.{n}.log")[0] for n in range(1, 6)}) == 4
    assert "Requested node configuration" in run("--gpu", "3", "a.log", "true", code=1).stderr


def test_a_job_on_several_nodes_is_started_once_on_each_and_dies_as_one(cluster):
    script = "echo $PET_NODE_RANK of $PET_NNODES: $PET_NPROC_PER_NODE at $PET_MASTER_ADDR $PET_MASTER_PORT"
    run("--nodes", "2", "--gpu", "2", "a.log", "bash", "-c", script)
    lines = sorted(output_of("a.log"))
    assert [line.split(" at ")[0] for line in lines] == ["0 of 2: 2", "1 of 2: 2"]
    assert lines[0].split(" at ")[1] == lines[1].split(" at ")[1] and " 127.0.0.1 " in lines[0]
    script = "if [ $PET_NODE_RANK = 0 ]; then touch on; exec sleep 60; fi; until [ -e on ]; do sleep 0.5; done; exit 3"
    began = time.monotonic()
    run("--nodes", "2", "b.log", "bash", "-c", script, code=1)
    assert time.monotonic() - began < 30 and "# Ended (code " in Path("b.log").read_text()


def test_processes_on_several_nodes_find_each_other(cluster):
    """Two on each of two nodes add up their numbers: 1 + 2 + 3 + 4."""
    Path("sum.py").write_text("""
import os, torch, torch.distributed as distributed
distributed.init_process_group("gloo")
x = torch.tensor([distributed.get_rank() + 1])
distributed.all_reduce(x)
print(os.environ["SLURMD_NODENAME"], x.item())
distributed.destroy_process_group()
""")
    command = [f"{ROOT}/utils/torchrun.py", "a.log", "python", "sum.py"]
    run("--nodes", "2", "--gpu", "2", "--mem", "2G", "--num-threads", "1", "a.log", *command)
    assert [output_of(f"a.log{rank}")[0] for rank in ("", ".rank1", ".rank2", ".rank3")] == [
        "n1 10", "n1 10", "n2 10", "n2 10"
    ]  # fmt: skip


def test_two_recipes_at_once_do_not_meet(cluster):
    runners = []
    for name in ("one", "two"):
        Path(name).mkdir()
        words = ["JOB=1:4", f"{name}/x.JOB.log", "bash", "-c", f"sleep 0.3; echo {name} JOB"]
        runners.append(start(*words))
    assert [runner.wait(60) for runner in runners] == [0, 0]
    for name in ("one", "two"):
        assert [output_of(f"{name}/x.{n}.log") for n in range(1, 5)] == [[f"{name} {n}"] for n in range(1, 5)]


def test_a_job_may_itself_submit_jobs(cluster):
    inner = "--mem 200M JOB=1:2 inner.JOB.log echo JOB"
    run("--mem", "400M", "outer.log", "bash", "-c", f"python {ROOT}/utils/slurm.py {inner}")
    assert output_of("inner.2.log") == ["2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--partition", "nowhere", "a.log", "true"], "nvalid partition"),
        (["--constraint=abacus", "a.log", "true"], "nvalid feature"),
        (["--colour", "red", "a.log", "true"], "--colour"),
        (["--array=1-4", "a.log", "true"], "--array=1-4: this option of sbatch is slurm.py's own"),
        (["-o", "x", "a.log", "true"], "-o: this option of sbatch is slurm.py's own"),
        (["--mem", "lots", "a.log", "true"], "4G"),
        (["--mem", "900G", "a.log", "true"], "emory"),
        (["JOB=1:3", "a.log", "true"], "would share the log a.log"),
        (["a.log"], "no command"),
    ],
)
def test_a_mistake_is_one_line(cluster, words, said):
    done = run(*words, code=1)
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("slurm.py: ")
    assert said in done.stderr
    assert not Path("a.log").exists()


def test_without_slurm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert "sinfo: not found" in run("--gpu", "1", "a.log", "true", code=1).stderr
    assert not list(tmp_path.iterdir())

"""utils/run.py as its users meet it: real processes, real logs, real signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = [sys.executable, str(ROOT / "utils" / "run.py")]


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def run(*words, code=0):
    done = subprocess.run([*RUN, *words], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    return done


def output_of(log):
    return [line for line in Path(log).read_text().splitlines() if not line.startswith("# ")]


def wait_for(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state) and not state.startswith("Z")


def test_a_single_job_is_seen_live_and_its_log_says_what_happened():
    done = run(
        "--num-threads", "3", "exp/log/a.log", "bash", "-c", "echo 'to out'; echo to err >&2; echo $1", "-", "x y"
    )
    assert done.stdout == "to out\nto err\nx y\n"
    lines = Path("exp/log/a.log").read_text().splitlines()
    assert [line.split()[1] for line in lines[:4]] == ["Host:", "Started", "Git", "Command:"]
    assert lines[3].endswith("- 'x y'")
    assert lines[4:7] == ["to out", "to err", "x y"]
    assert lines[7] == "# Accounting: time=0 threads=3"
    assert lines[8].startswith("# Ended (code 0) at ")


def test_output_arrives_before_the_job_ends():
    runner = subprocess.Popen(
        [*RUN, "a.log", "bash", "-c", "echo epoch 1; sleep 60"], stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout.readline() == "epoch 1\n"
    runner.terminate()
    assert runner.wait(60) == 143


def test_job_is_replaced_as_a_word_only():
    done = run("JOB=2:3", "log/x.JOB.log", "echo", "a.JOB.ark", "JOBS", "_JOB_", "--part=JOB/3")
    assert output_of("log/x.2.log") == ["a.2.ark JOBS _JOB_ --part=2/3"]
    assert output_of("log/x.3.log") == ["a.3.ark JOBS _JOB_ --part=3/3"]
    first, last = done.stdout.splitlines()
    assert first == "run.py: 2 jobs, log is in log/x.*.log"
    assert last.startswith("run.py: 2 / 2 done in 0 s, log is in log/x.*.log")


def test_a_variable_may_stand_for_words():
    run("SYSTEM=vgg5,resnet18_pretrain", "exp/SYSTEM/log/x.log", "echo", "conf/SYSTEM.yaml")
    for system in ("vgg5", "resnet18_pretrain"):
        assert output_of(f"exp/{system}/log/x.log") == [f"conf/{system}.yaml"]
    run("Part=1:1", "Part.log", "echo", "JOB", "Part")
    assert output_of("1.log") == ["JOB 1"]
    run("b.log", "echo", "JOB")
    assert output_of("b.log") == ["JOB"]


def test_the_commands_own_options_are_left_alone():
    run("a.log", "echo", "--gpu", "7", "JOB=1:4", "--help", "--", "*", "$HOME")
    assert output_of("a.log") == ["--gpu 7 JOB=1:4 --help -- * $HOME"]


def test_a_failure_names_the_first_failing_log_and_shows_its_end():
    script = "seq 100 130; echo this is JOB; exit $((JOB % 2))"
    done = run("JOB=2:5", "log/x.JOB.log", "bash", "-c", script, code=1)
    lines = done.stderr.splitlines()
    assert lines[0] == "run.py: 2 / 4 failed, log is in log/x.*.log"
    assert lines[1] == "==> log/x.3.log <=="
    assert run("JOB=1:3", "log/y.JOB.log", "bash", "-c", "[ JOB = 1 ] || kill -9 $$", code=1).stderr.splitlines()[
        :3
    ] == [
        "run.py: 2 / 3 failed, log is in log/y.*.log",
        "JOB 2 3: Ended by signal 9, Killed (out of memory?)",
        "==> log/y.2.log <==",
    ]
    assert "this is 3" in lines
    assert "130" in lines
    assert "105" not in lines
    assert all(Path(f"log/x.{n}.log").is_file() for n in range(2, 6)), "after a failure the others still run"


@pytest.mark.parametrize(("command", "code", "said"), [("nowhere", 127, "No such file"), ("./data", 126, "Permission")])
def test_a_command_that_cannot_start_is_a_failed_job(command, code, said):
    Path("data").touch()
    run("a.log", command, "--x", code=1)
    assert said in output_of("a.log")[0]
    assert f"# Ended (code {code}) at " in Path("a.log").read_text()


def test_a_job_killed_by_a_signal_says_so():
    run("a.log", "bash", "-c", "kill -9 $$", code=1)
    assert "# Ended by signal 9, Killed (out of memory?)\n" in Path("a.log").read_text()
    assert "# Ended (code 137) at " in Path("a.log").read_text()


def test_pick_failed_runs_only_those_that_did_not_end_well():
    words = ["JOB=1:3", "x.JOB.log", "bash", "-c", "echo JOB >> ran; [ JOB != 2 ] || [ -e mended ]"]
    run(*words, code=1)
    Path("x.3.log").write_text(Path("x.3.log").read_text().rpartition("# Ended")[0])  # as after a power cut
    Path("mended").touch()
    Path("ran").unlink()
    assert "3 / 3 done (1 before)" in run("--pick", "failed", *words).stdout
    assert sorted(Path("ran").read_text().split()) == ["2", "3"]
    run("--pick", "failed", *words)
    assert sorted(Path("ran").read_text().split()) == ["2", "3"]
    run(*words)
    assert len(Path("ran").read_text().split()) == 5


def test_max_jobs_run_bounds_what_runs_at_once():
    script = "touch on.JOB; ls on.* | wc -l; sleep 0.1; rm on.JOB"
    run("--max-jobs-run", "2", "JOB=1:4", "x.JOB.log", "bash", "-c", script)
    assert max(int(output_of(f"x.{n}.log")[0]) for n in range(1, 5)) == 2


def test_threads_are_set_only_when_asked_for():
    script = ["bash", "-c", "echo ${OMP_NUM_THREADS-unset} ${MKL_NUM_THREADS-unset}"]
    assert run("--num-threads=2", "a.log", *script).stdout == "2 2\n"
    assert run("a.log", *script).stdout == "unset unset\n"


def test_each_gpu_job_has_devices_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,GPU-aa,7")
    script = "own=$CUDA_VISIBLE_DEVICES; mkdir lock.$own && sleep 0.1 && rmdir lock.$own && echo $own"
    run("--gpu", "2", "--max-jobs-run", "9", "JOB=1:4", "x.JOB.log", "bash", "-c", script)
    assert {output_of(f"x.{n}.log")[0] for n in range(1, 5)} == {"3,5", "GPU-aa,7"}
    assert "--gpu 5: this machine has 4" in run("--gpu", "5", "a.log", "true", code=1).stderr


@pytest.mark.parametrize(
    ("listing", "devices"),
    [
        ("GPU 0: NVIDIA A (UUID: GPU-1)\nGPU 1: NVIDIA A (UUID: GPU-2)", ["0", "1"]),
        (
            "GPU 0: H (UUID: GPU-1)\n  MIG 1g Device 0: (UUID: MIG-a)\n  MIG 1g Device 1: (UUID: MIG-b)",
            ["MIG-a", "MIG-b"],
        ),
    ],
)
def test_gpus_are_found_by_nvidia_smi(listing, devices, monkeypatch):
    Path("listing").write_text(listing)
    Path("nvidia-smi").write_text(f"#!/bin/sh\ncat '{Path.cwd()}/listing'\n")
    Path("nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path.cwd()}:{os.environ['PATH']}")
    run(
        "--gpu",
        "1",
        "--max-jobs-run",
        "2",
        "JOB=1:2",
        "x.JOB.log",
        "bash",
        "-c",
        "sleep 0.1; echo $CUDA_VISIBLE_DEVICES",
    )
    assert [output_of(f"x.{n}.log")[0] for n in (1, 2)] == devices


def test_without_a_gpu_the_job_runs_on_the_cpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = run("--gpu", "1", "JOB=1:2", "x.JOB.log", "bash", "-c", "echo [$CUDA_VISIBLE_DEVICES]")
    assert done.stderr.count("running on the CPU") == 1
    assert output_of("x.2.log") == ["[]"]


@pytest.mark.parametrize("asked", [["--gpu", "1"], []])
def test_jobs_of_an_array_on_cpus_have_one_thread_each_however_many_they_are(monkeypatch, asked):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for n in (1, 3):
        run(*asked, f"JOB=1:{n}", "x.JOB.log", "bash", "-c", "echo $OMP_NUM_THREADS")
        assert output_of(f"x.{n}.log") == ["1"]
    run(*asked, "a.log", "bash", "-c", "echo [$OMP_NUM_THREADS]")
    assert output_of("a.log") == ["[]"]


def test_jobs_may_share_a_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    script = "touch on.JOB; until [ -e on.1 -a -e on.2 -a -e on.3 -a -e on.4 ]; do sleep 0.02; done; "
    options = ["--gpu", "1", "--jobs-per-gpu", "2", "--max-jobs-run", "9"]
    run(*options, "JOB=1:4", "x.JOB.log", "bash", "-c", f"{script} echo $CUDA_VISIBLE_DEVICES")
    assert sorted(output_of(f"x.{n}.log")[0] for n in range(1, 5)) == ["4", "4", "6", "6"]
    assert "for jobs of one GPU" in run("--jobs-per-gpu", "2", "--gpu", "2", "a.log", "true", code=1).stderr


def test_a_job_knows_what_torchrun_would_be_told(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    script = "echo $PET_NNODES $PET_NODE_RANK $PET_NPROC_PER_NODE $PET_MASTER_ADDR; echo $PET_MASTER_PORT"
    run("--gpu", "2", "a.log", "bash", "-c", script)
    words, port = output_of("a.log")
    assert words == "1 0 2 127.0.0.1" and 1024 < int(port) < 65536
    run("b.log", "bash", "-c", script)
    assert output_of("b.log")[0] == "1 0 1 127.0.0.1"


def test_a_time_limit_ends_the_job():
    run("--time", "0:1", "a.log", "sleep", "60", code=1)
    assert "# Time limit of 1 s reached\n" in Path("a.log").read_text()
    assert "# Ended (code 124) at " in Path("a.log").read_text()


def test_what_a_job_leaves_running_ends_with_it():
    run("a.log", "bash", "-c", "sleep 60 & echo $!")
    assert not alive(output_of("a.log")[0])


def test_what_a_job_moves_out_of_its_session_ends_with_it_too():
    run(
        "a.log",
        "bash",
        "-c",
        "setsid bash -c 'echo $$; exec sleep 60' & until grep -q ^[0-9] a.log; do sleep 0.01; done",
    )
    assert not alive(output_of("a.log")[0])


def test_jobs_do_not_outlive_a_runner_that_is_killed():
    script = "sleep 60 & echo $! > child; setsid sleep 60 & echo $! > stranger; echo $$ > job; wait"
    runner = subprocess.Popen([*RUN, "a.log", "bash", "-c", script], start_new_session=True, stdout=subprocess.PIPE)
    wait_for(lambda: Path("job").exists() and Path("job").read_text())
    os.killpg(runner.pid, signal.SIGKILL)
    assert runner.wait(60) == -signal.SIGKILL
    for name in ("job", "child", "stranger"):
        wait_for(lambda name=name: not alive(Path(name).read_text().strip()), timeout=10)
    assert runner.stdout.read() == b"", "nobody who reads the runner's output waits for more"
    assert "# Ended" not in Path("a.log").read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupt_ends_every_job_and_its_children(number, code):
    Path("x.3.log").write_text("# Ended (code 0) at some time before\n")
    script = "sleep 60 & echo $! > child.JOB; echo $$ > job.JOB; wait"
    words = ["--max-jobs-run", "2", "JOB=1:3", "x.JOB.log", "bash", "-c", script]
    runner = subprocess.Popen([*RUN, *words], start_new_session=True, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: all(Path(f"job.{n}").exists() and Path(f"job.{n}").read_text() for n in (1, 2)))
    os.killpg(runner.pid, number)  # as the terminal does on Ctrl-C
    assert "interrupted" in runner.communicate(timeout=60)[1]
    assert runner.returncode == code
    for n in (1, 2):
        assert not alive(Path(f"job.{n}").read_text().strip())
        assert not alive(Path(f"child.{n}").read_text().strip())
        assert f"# Ended (code {code}) at " in Path(f"x.{n}.log").read_text()
    assert not Path("x.3.log").exists(), "a log from before does not pass for one of this run"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_step_that_is_interrupted_lets_its_runner_end_the_jobs_first(number, code):
    runner = f"{RUN[0]} {RUN[1]}"
    program = (
        f"from utils import cli, jobs; cli.run(lambda: jobs.call({runner!r}, 'JOB=1:1', 'x.JOB.log', 'bash', 'job'))"
    )
    Path("job").write_text("trap 'sleep 0.5; echo saved; exit 3' TERM; echo $$ > pid; while true; do sleep 0.05; done")
    step = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.PIPE)
    wait_for(lambda: Path("pid").exists() and Path("pid").read_text())
    if number == signal.SIGINT:
        os.killpg(step.pid, number)  # as the terminal does
    else:
        step.send_signal(number)  # as a queue may, to this process alone
    assert step.wait(60) == code
    assert output_of("x.1.log")[-1] == "saved" and not alive(Path("pid").read_text().strip())


def test_what_ignores_the_request_to_end_is_killed():
    program = "import sys; from utils import cli, run; run.GRACE = 0.2; sys.argv[0] = 'run.py'; cli.run(run.main)"
    script = "trap '' TERM; echo $$ > pid; while true; do sleep 0.05; done"
    runner = subprocess.Popen([sys.executable, "-c", program, "a.log", "bash", "-c", script])
    wait_for(lambda: Path("pid").exists() and Path("pid").read_text())
    runner.send_signal(signal.SIGINT)
    assert runner.wait(60) == 130
    assert not alive(Path("pid").read_text().strip())


def test_nohup_is_respected():
    command = ["nohup", *RUN, "a.log", "bash", "-c", "touch on; while [ ! -e go ]; do sleep 0.02; done"]
    runner = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(Path("on").exists)
    runner.send_signal(signal.SIGHUP)
    Path("go").touch()
    assert runner.wait(60) == 0


def test_a_reader_that_goes_away_does_not_end_the_job():
    runner = subprocess.Popen([*RUN, "a.log", "bash", "-c", "echo 1; sleep 0.2; echo 2"], stdout=subprocess.PIPE)
    runner.stdout.close()
    assert runner.wait(60) == 0
    assert output_of("a.log") == ["1", "2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpus", "1", "a.log", "true"], "--gpus"),
        (["--gpu", "a.log"], "--gpu"),
        (["--num-threads", "0", "a.log", "true"], "--num-threads"),
        (["--mem", "lots", "a.log", "true"], "4G"),
        (["--time", "1:2:3:4", "a.log", "true"], "--time"),
        (["--pick", "some", "a.log", "true"], "--pick"),
        (["--nodes", "2", "a.log", "true"], "--nodes 2"),
        (["JOB=3:1", "a.JOB.log", "true"], "JOB=3:1"),
        (["JOB=a,,b", "a.JOB.log", "true"], "JOB=a,,b"),
        (["JOB=1:x", "a.JOB.log", "true"], "JOB=1:x"),
        (["JOB=1:3", "a.log", "true"], "would share the log a.log"),
        (["a.log"], "no command"),
        (["/proc/nowhere/a.log", "true"], "/proc/nowhere"),
        ([], "no log"),
    ],
)
def test_a_mistake_is_one_line(words, said):
    done = run(*words, code=1)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("run.py: ")
    assert said in done.stderr
    assert not list(Path().iterdir())


def test_a_full_disk_is_one_line_that_names_the_log():
    Path("disk").mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "disk"]).returncode:
        pytest.skip("no right to mount")
    try:
        for script in ("true", "dd if=/dev/zero of=disk/fill bs=4k; seq 9999; true"):
            words = ["disk/a.log", "bash", "-c", script]
            if script == "true":
                Path("disk/fill").write_bytes(bytes(16384))
            assert run(*words, code=1).stderr == "run.py: disk/a.log: No space left on device\n"
            for path in Path("disk").iterdir():
                path.unlink()
        run("disk/a.log", "true")
    finally:
        subprocess.run(["umount", "disk"], check=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 5400), ("1:30", 90), ("2:00:01", 7201), ("1-2", 93600), ("1-0:30", 88200), ("1-0:0:5", 86405), ("0", 0)],
)
def test_durations_are_slurms(text, expected):
    from utils.jobs import seconds

    assert seconds(text) == expected

"""Where a network trains, and with which memory."""

import ctypes
import subprocess
import sys

import pytest
import torch

FAULTS = """
import resource, sys
from steps.training.device import pick_device

def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "trains":
    pick_device()
bytearray(2**26)
before = faults()
for _ in range(8):
    bytearray(2**26)  # 64 MiB, cleared
print(faults() - before)
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has memory of its own")
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_memory_that_a_training_frees_is_not_fetched_from_the_system_anew():
    pages = {}
    for what in ("trains", "does not"):
        words = [sys.executable, "-c", FAULTS, what]
        pages[what] = int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert pages["trains"] < pages["does not"] / 10

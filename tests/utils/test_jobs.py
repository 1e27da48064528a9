"""What the job runners share."""

from utils import jobs


def test_a_variable_that_no_path_has():
    assert jobs.free_variable(["/x/data", "JOBS"]) == "JOB"
    assert jobs.free_variable(["/x/JOB/data"]) == "JOB2" and jobs.free_variable(["JOB-17", "/x/JOB2.d"]) == "JOB3"

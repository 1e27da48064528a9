from utils import cli  # noqa: F401 (from here on Ctrl-C, or a package that is missing, is one line)

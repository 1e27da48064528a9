from utils import cli  # noqa: F401 (from here on Ctrl-C is one line, whatever else is still to be imported)

"""How a training went, an epoch a line: for a spreadsheet, and for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.files import whole

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write `rows`, which all have the same names, as a tab-separated table: a header of names, then a line a row."""
    with whole(path) as temporary:
        lines = ["\t".join(rows[0]), *("\t".join(f"{value:.6g}" for value in row.values()) for row in rows)]
        temporary.write_text("\n".join([*lines, ""]), encoding="utf-8")


class Board:
    """TensorBoard's event files in a folder, made with the first row. What a killed training has written beyond its
    checkpoint is purged: TensorBoard shows each epoch once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: SummaryWriter | None = None

    def write(self, row: Mapping[str, float]) -> None:
        """Add the values of `row["epoch"]`."""
        step = int(row["epoch"])
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter  # half a second, for those alone who train

            self.writer = SummaryWriter(str(self.folder), purge_step=step)
        for name, value in row.items():
            if name != "epoch":
                self.writer.add_scalar(name.replace(" ", "/"), value, step)
        self.writer.flush()

    def close(self) -> None:
        """No more rows follow."""
        if self.writer is not None:
            self.writer.close()

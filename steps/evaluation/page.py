"""One self-contained page of HTML: sections of findings, figures, tables and blocks of text, in report.html.jinja."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from steps.evaluation.tables import Table


@dataclass
class Picture:
    """An SVG of our own making, with the words below it."""

    svg: str
    caption: str
    hover: bool = False  # its digits have titles


@dataclass
class Block:
    """Text as it stands, behind a title; folded away unless `open`."""

    title: str
    text: str
    open: bool = False


@dataclass
class Section:
    """What is not there is said in `absent`."""

    title: str
    figures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    absent: str = ""

    @property
    def anchor(self) -> str:
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


def render(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The page; every word is escaped, the SVGs stand as they are."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(title=title, subtitle=subtitle, sections=sections)

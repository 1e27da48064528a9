"""Figures and the page take any names, and the t-SNE is that of the embeddings."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from steps.evaluation import figures, projection
from steps.evaluation.page import Block, Picture, Section, render
from steps.evaluation.probes import Labelled, purity
from steps.evaluation.significance import Interval
from steps.evaluation.tables import Table

ODD = 'a$b$ <script>alert("x")</script> & é'


def test_names_are_names_everywhere(tmp_path):
    svg = figures.save(figures.forest([(ODD, Interval(1.0, 0.5, 2.0))], ODD, {ODD: 1.5}), tmp_path, "one")
    ElementTree.fromstring(svg)  # well-formed
    section = Section(ODD, [Picture(svg, ODD)], [Table(ODD, ["system"], [[ODD]], ODD)], [ODD], [Block(ODD, ODD)], ODD)
    page = render(ODD, ODD, [section])
    assert "<script>alert" not in page and page.count("&lt;script&gt;alert") >= 10


def test_the_same_figure_gives_the_same_file(tmp_path):
    rows = [("a", Interval(1.0, 0.5, 2.0)), ("b", Interval(2.0, np.nan, np.nan))]
    for folder in ("one", "two"):
        figures.save(figures.forest(rows, "x", {}), tmp_path / folder, "forest")
    for suffix in ("svg", "pdf", "png"):
        first, second = ((tmp_path / folder / f"forest.{suffix}").read_bytes() for folder in ("one", "two"))
        assert first == second


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    speakers = np.repeat(["s1", "s2", "s3"], 30)
    vectors = rng.normal(size=(90, 8)) + 6 * rng.normal(size=(3, 8))[np.repeat(np.arange(3), 30)]
    names = np.array([f"{who}-<{i}>" for i, who in enumerate(speakers)])
    return Labelled(vectors, speakers, np.tile(["ang", "neu"], 45), speakers, names)


def test_tsne_keeps_neighbours_is_repeatable_and_knows_no_lengths(data):
    places = projection.tsne(data.vectors)
    assert purity(places - places.mean(axis=0), data.speakers) > 0.9 and places.shape == (90, 2)
    assert np.array_equal(places, projection.tsne(data.vectors))
    assert np.allclose(places, projection.tsne(7 * data.vectors), atol=1e-2)


def test_every_utterance_is_a_digit_with_its_title(data, tmp_path):
    svg = projection.draw({"one": data, "two": data}, ["s3"], tmp_path, "embeddings")
    of = "{http://www.w3.org/2000/svg}"
    groups = [group for group in ElementTree.fromstring(svg).iter(f"{of}g") if group.get("class") == "utt"]
    titles = [group.find(f"{of}title").text for group in groups]
    assert titles[:2] == ["s1-<0>: ang, s1", "s1-<1>: neu, s1"] and len(titles) == 180
    assert sum(title.endswith(", s3, unseen") for title in titles) == 60
    styles = {title.split()[1]: group.find(f".//{of}text").get("style") for title, group in zip(titles, groups)}
    assert figures.COLOURS[0].lower() in styles["ang,"] and figures.COLOURS[1].lower() in styles["neu,"]

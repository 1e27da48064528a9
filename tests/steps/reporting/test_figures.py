"""Pictures and the page take any names, and are the same for the same figures."""

import itertools
import warnings
import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from steps.evaluation.probes import Labelled, purity
from steps.report import in_the_plane
from steps.reporting import figures
from steps.reporting.page import bullets, document, page, picture
from steps.reporting.tables import Table

ODD = 'a$b$ <script>alert("x")</script> & é'
INTERVAL = {"value": 1.0, "low": 0.5, "high": 2.0}


def test_names_are_names_everywhere(tmp_path):
    figures.save(figures.forest([(ODD, INTERVAL)], ODD, 1.5, ODD), tmp_path / "figures", "forest")
    ElementTree.parse(tmp_path / "figures/forest.svg")  # well-formed
    blocks = [bullets([ODD]), picture("figures/forest", ODD), Table(["system"], [[ODD]], [ODD]).markdown()]
    made = page(ODD, document(ODD, "a test", {ODD: [*blocks, f"```\n{ODD}\n```"]}), tmp_path)
    assert "<script" not in made and made.count("&lt;script&gt;alert") >= 10
    assert "<svg" in made and "<img" not in made and "<th>system</th>" in made


def test_the_same_figures_give_the_same_files(tmp_path):
    rows = [("a", INTERVAL), ("b", {"value": 2.0, "low": None, "high": None})]
    for folder in ("first", "second"):
        figures.save(figures.forest(rows, "x", 0), tmp_path / folder, "forest")
    for suffix in ("svg", "pdf", "png"):
        first, second = ((tmp_path / folder / f"forest.{suffix}").read_bytes() for folder in ("first", "second"))
        assert first == second


@pytest.mark.parametrize("size", [3, 24, 50])
def test_names_of_classes_of_any_length_leave_room_for_the_matrix(size):
    classes = ["x" * size, "hap", "neu"]
    systems = {name: {"confusion": np.eye(3).tolist()} for name in ("a", "b", "c", "d")}
    canvas = figures.confusions({"test": {"classes": dict.fromkeys(classes, 1)}, "systems": systems}, list(systems))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas.canvas.draw()
    boxes = [ax.get_window_extent() for ax in canvas.axes]
    assert min(box.width for box in boxes) > 100
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_a_picture_is_no_wider_than_a_page_and_few_bytes(tmp_path):
    figures.save(plt.figure(figsize=(30, 2)), tmp_path, "wide", ["png"])
    with Image.open(tmp_path / "wide.png") as image:
        assert 1398 <= image.width <= 1400 and image.mode == "P"


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    speakers = np.repeat(["s1", "s2", "s3"], 30)
    vectors = rng.normal(size=(90, 8)) + 6 * rng.normal(size=(3, 8))[np.repeat(np.arange(3), 30)]
    names = np.array([f"{who}-<{i}>" for i, who in enumerate(speakers)])
    return Labelled(vectors, speakers, np.tile(["ang", "neu"], 45), speakers, names)


def test_tsne_keeps_neighbours_is_repeatable_and_knows_no_lengths(data):
    places = in_the_plane(data).vectors
    assert purity(places - places.mean(axis=0), data.speakers) > 0.9 and places.shape == (90, 2)
    assert np.array_equal(places, in_the_plane(data).vectors)
    data.vectors = 7 * data.vectors
    assert np.allclose(places, in_the_plane(data).vectors, atol=1e-2)


def test_every_utterance_is_a_digit_with_its_title(data, tmp_path):
    data.vectors = data.vectors[:, :2]
    figures.embeddings({"one": data, "two": data}, ["s3"], tmp_path)
    svg = (tmp_path / "embeddings.svg").read_text()
    of = "{http://www.w3.org/2000/svg}"
    groups = [group for group in ElementTree.fromstring(svg).iter(f"{of}g") if group.get("class") == "utt"]
    titles = [group.find(f"{of}title").text for group in groups]
    assert titles[:2] == ["s1-<0>: ang, s1", "s1-<1>: neu, s1"] and len(titles) == 180
    assert sum(title.endswith(", s3, unseen") for title in titles) == 60
    styles = {title.split()[1]: group.find(f".//{of}text").get("style") for title, group in zip(titles, groups)}
    assert figures.COLOURS[0].lower() in styles["ang,"] and figures.COLOURS[1].lower() in styles["neu,"]

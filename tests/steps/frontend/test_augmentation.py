"""What is done to crops, against what it says it does."""

import math

import numpy as np
import pytest
import torch

from steps.frontend.augmentation import add_noise, mask_bands, speed_crops
from steps.frontend.copypaste import Augmented
from steps.frontend.crops import Crops
from steps.frontend.functionals import functionals
from steps.frontend.options import Augmentation
from steps.frontend.packed import Packed
from utils.cli import UserError

CPU, LENGTH = torch.device("cpu"), 20
SPEAKERS, EMOTIONS = ["a"] * 6 + ["b"] * 4, ["neu", "neu", "ang", "ang", "sad", "sad"] + ["neu", "ang", "ang", "sad"]


def crops():
    """Utterance i holds the value i in every frame."""
    return Crops(Packed.of([np.full((30 + i, 2), i, np.float32) for i in range(10)]), LENGTH, CPU)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def partners(options, rounds=60):
    """utterance → the partners it was ever joined with; every crop has its length, and half of each."""
    augmented = Augmented(crops(), options, SPEAKERS, EMOTIONS, torch.arange(10))
    generator, index, seen, orders = chance(), torch.arange(10), {i: set() for i in range(10)}, set()
    for _ in range(rounds):
        x = augmented.batch(index, generator)
        assert x.shape == (10, LENGTH, 2)
        for i, crop in enumerate(x[:, :, 0]):
            first, last = crop[: LENGTH // 2].unique().tolist(), crop[LENGTH // 2 :].unique().tolist()
            assert len(first) == len(last) == 1 and i in (*first, *last)
            if first != last:
                orders.add(first == [i])
                seen[i].add(int(last[0] if first == [i] else first[0]))
    assert orders in (set(), {True, False})
    return seen


def test_neutral_copypaste_gives_emotional_utterances_a_neutral_partner_and_neutral_ones_none():
    seen = partners(Augmentation(copypaste="neutral"))
    assert seen == {0: set(), 1: set(), **{i: {0, 1} for i in (2, 3, 4, 5)}, 6: set(), **{i: {6} for i in (7, 8, 9)}}


def test_same_emotion_copypaste_joins_one_emotion_of_one_speaker():
    seen = partners(Augmentation(copypaste="same"))
    assert seen == {0: {1}, 1: {0}, 2: {3}, 3: {2}, 4: {5}, 5: {4}, 6: set(), 7: {8}, 8: {7}, 9: set()}


def test_both_schemes_take_turns_and_speakers_may_be_left_aside():
    seen = partners(Augmentation(copypaste="both"))
    assert seen[2] == {0, 1, 3} and seen[0] == {1} and seen[9] == {6}
    seen = partners(Augmentation(copypaste="neutral", copypaste_same_speaker=False))
    assert seen[9] == {0, 1, 6}


def test_a_corpus_without_a_neutral_class_is_told():
    with pytest.raises(UserError, match="augmentation.neutral: 'calm' names no class .*: ang, neu, sad"):
        Augmented(crops(), Augmentation(copypaste="neutral", neutral="calm"), SPEAKERS, EMOTIONS, torch.arange(10))


def test_partners_come_from_the_training_utterances_alone_and_a_share_stays_alone():
    options = Augmentation(copypaste="neutral")
    augmented = Augmented(crops(), options, SPEAKERS, EMOTIONS, torch.tensor([0, 2, 3, 4, 5]))
    found = [augmented.partner(2, generator) for generator in [chance()] for _ in range(400)]
    assert set(found) == {-1, 0} and 150 < found.count(0) < 250


def test_without_augmentation_batches_are_those_of_the_crops():
    index, plain = torch.tensor([3, 9, 0]), crops()
    augmented = Augmented(plain, Augmentation(), SPEAKERS, EMOTIONS, torch.arange(10))
    assert torch.equal(augmented.batch(index, chance()), plain.batch(index, chance()))


def test_speed_stretches_time():
    ramp = Crops(Packed.of([np.arange(200, dtype=np.float32)[:, None]]), 50, CPU)
    slopes = []
    for seed in range(40):
        x = speed_crops(ramp, torch.tensor([0]), chance(seed), 50, 0.1)[0, :, 0]
        step = x.diff()
        assert x.shape == (50,) and step.std() < 1e-3
        slopes.append(step.mean().item())
    assert 0.9 <= min(slopes) < 0.93 and 1.07 < max(slopes) <= 1.1


def test_noise_has_the_ratio_asked_for_and_leaves_the_mean():
    x = torch.randn(4, 3000, 3, generator=chance(1)) * 0.01 + torch.tensor([5.0, 0.0, -5.0])
    for decibel in (0.0, 10.0):
        noisy = add_noise(x, chance(), 1.0, [decibel, decibel])
        torch.testing.assert_close(noisy.mean(dim=1), x.mean(dim=1))
        # Of a constant signal and noise of mean energy e, log(1 + e g) spreads as its Gamma-distributed g does.
        g = np.random.default_rng(0).gamma(4, 1 / 4, 200_000)
        expected = np.log(1 + 10 ** (-decibel / 10) * g).std()
        assert noisy.std(dim=1).mean().item() == pytest.approx(expected, rel=0.05)
    assert torch.equal(add_noise(x, chance(), 0.0, [5, 20]), x)


@pytest.mark.parametrize(("axis", "widest"), [(1, 12), (2, 4)])
def test_masks_are_bands_of_the_mean(axis, widest):
    x = torch.randn(30, 50, 10, generator=chance(1))
    found = mask_bands(x, chance(), axis, widest, masks=1)
    widths = []
    for before, after in zip(x, found):
        changed = (before != after).any(dim=2 - axis)
        places = changed.nonzero().squeeze(1)
        widths.append(len(places))
        assert len(places) == 0 or len(places) == places[-1] - places[0] + 1
        expected = before.mean(dim=0).expand_as(before).index_select(axis - 1, places)
        torch.testing.assert_close(after.index_select(axis - 1, places), expected)
    assert max(widths) <= widest and len(set(widths)) > widest / 2


@pytest.mark.parametrize(
    "wrong", [{"speed": 1.0}, {"noise": 2.0}, {"time_mask": -1}, {"noise_snr": [5.0]}, {"noise_snr": [20.0, 5.0]}]
)
def test_impossible_augmentation_is_refused(wrong):
    with pytest.raises(ValueError, match="augmentation"):
        Augmentation(**wrong)


def test_functionals_of_a_steady_and_of_a_pulsing_utterance():
    steady = np.zeros((40, 6)) + [3, 2, 1, 0, -1, -2]
    found = functionals(steady)
    # level, slope, alpha ratio, Hammarberg, flux, and, of six bins, five cepstra
    means, deviations = found[:10], found[10:20]
    assert means[0] == pytest.approx(math.log(sum(math.exp(v) for v in (3, 2, 1, 0, -1, -2))))
    assert means[1] == pytest.approx(-1) and means[3] == pytest.approx(3) and means[4] == pytest.approx(0)
    assert deviations == pytest.approx(0, abs=1e-9)
    pulsing = steady + 2 * (np.arange(40)[:, None] % 10 < 5)
    rises, share = functionals(pulsing)[80:82]
    assert rises == pytest.approx(3 / 40) and share == pytest.approx(0.5)
    assert functionals(steady[:1]).shape == found.shape


@pytest.mark.parametrize("same_speaker", [True, False])
@pytest.mark.parametrize("kind", ["neutral", "same", "both"])
def test_partners_are_those_that_a_plain_search_finds(kind, same_speaker):
    """Utterance by utterance, over lists of those with one speaker and one emotion."""
    options = Augmentation(copypaste=kind, copypaste_share=0.8, copypaste_same_speaker=same_speaker)
    train = [9, 2, 0, 3, 4, 7, 1, 6]
    augmented = Augmented(crops(), options, SPEAKERS, EMOTIONS, torch.tensor(train))

    def partner(i, generator):
        joins, prefers, picks = torch.rand(3, generator=generator).tolist()
        if joins >= 0.8 or (kind == "neutral" and EMOTIONS[i] == "neu"):
            return -1
        emotion = EMOTIONS[i] if kind == "same" or (kind == "both" and prefers < 0.5) else "neu"
        others = [
            j for j in train
            if j != i and EMOTIONS[j] == emotion and (not same_speaker or SPEAKERS[j] == SPEAKERS[i])
        ]  # fmt: skip
        return others[int(picks * len(others))] if others else -1

    one, other = chance(3), chance(3)
    asked = [i for _ in range(200) for i in range(10)]
    assert [augmented.partner(i, one) for i in asked] == [partner(i, other) for i in asked]

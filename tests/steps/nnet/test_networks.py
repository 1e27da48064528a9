"""What AD is compared with, each formula against one written by hand; and what follows from the equations."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from steps.nnet.architecture import Network
from steps.nnet.attribute_disentanglement import AttributeDisentanglement
from steps.nnet.autoencoders import ParallelAutoencoders
from steps.nnet.inference import infer
from steps.nnet.networks import Classifier
from steps.nnet.objective import Objective
from steps.nnet.pooling import AttentivePooling, MaskPooling, MeanSdChangePooling, MeanSdPooling
from steps.nnet.se_attention import SEAttention
from steps.nnet.speaker_loss import SpeakerLoss, aam_softmax, reverse_gradient
from steps.nnet.tf_attention import TFAttention

N, C, T, F, D = 3, 6, 7, 5, 2
Y_E, Y_S = torch.tensor([0, 3, 1]), torch.tensor([7, 0, 2])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def feature_map():
    return torch.randn(N, C, T, F, dtype=torch.float64) * 2 + 1


def network(**own):
    return Classifier(Network(width=2, D=D, **own), classes=4)


def speech(frames=80):
    return torch.randn(N, frames, 41)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights_of(module):
    return {name: p.detach().numpy().squeeze() for name, p in module.named_parameters()}


@pytest.mark.parametrize(("axis", "along", "key"), [("time", 3, "time"), ("frequency", 2, "freq")])
@pytest.mark.parametrize("relu", [False, True])
def test_attention_along_one_axis_is_one_sum_of_equation_6(feature_map, axis, along, key, relu):
    attention = TFAttention(C, D, axis, relu).double()
    p = weights_of(attention)
    x = feature_map.numpy().mean(axis=along)  # (N, C, T or F)
    hidden = np.einsum("dc,nct->ndt", p[f"{key}_reduce.weight"], x) + p[f"{key}_reduce.bias"][:, None]
    hidden = np.maximum(hidden, 0) if relu else hidden
    expected = sigmoid(np.einsum("cd,ndt->nct", p[f"{key}_expand.weight"], hidden) + p[f"{key}_expand.bias"][:, None])
    expected = np.broadcast_to(np.expand_dims(expected, along), feature_map.shape)
    np.testing.assert_allclose(attention(feature_map).detach().numpy(), expected, atol=1e-12)
    assert len(p) == 4


def test_se_attention_weighs_channels(feature_map):
    attention = SEAttention(C, D).double()
    p = weights_of(attention)
    hidden = np.maximum(feature_map.numpy().mean(axis=(2, 3)) @ p["reduce.weight"].T + p["reduce.bias"], 0)
    expected = sigmoid(hidden @ p["expand.weight"].T + p["expand.bias"])[:, :, None, None]
    found = attention(feature_map).detach().numpy()
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-12)


def test_poolings(feature_map):
    x = feature_map.numpy()
    found = MeanSdPooling(C)(feature_map).numpy()
    np.testing.assert_allclose(found[:, :C], x.mean(axis=(2, 3)))
    np.testing.assert_allclose(found[:, C:], np.sqrt(x.var(axis=(2, 3)) + 1e-5))
    change = MeanSdChangePooling(C)(feature_map).numpy()
    np.testing.assert_array_equal(change[:, : 2 * C], found)
    steps = np.abs(np.diff(x.mean(axis=3), axis=2)).mean(axis=2)
    np.testing.assert_allclose(change[:, 2 * C :], steps)
    assert (MeanSdChangePooling(C)(feature_map[:, :, :1])[:, 2 * C :] == 0).all()
    attentive = AttentivePooling(C).double()
    p = weights_of(attentive)
    flat = x.reshape(N, C, -1)
    energy = p["energy.weight"] @ np.tanh(p["hidden.weight"] @ flat + p["hidden.bias"][:, None])
    alpha = np.exp(energy) / np.exp(energy).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(attentive(feature_map).detach().numpy(), (flat * alpha[:, None]).sum(axis=2))
    mask = MaskPooling(C, TFAttention(C, D).double())
    expected = (mask.attention(feature_map) * feature_map).mean(dim=(2, 3))
    torch.testing.assert_close(mask(feature_map), expected)


def test_ad_exposes_its_mask(feature_map):
    ad = AttributeDisentanglement(C, TFAttention(C, D)).double()
    normalised = ad.instance_norm(feature_map)
    plus, _ = ad(feature_map)
    IN_F, R, a = ad.decompose(feature_map)
    torch.testing.assert_close(IN_F, normalised)
    torch.testing.assert_close(plus, normalised + a * (feature_map - normalised))


@pytest.mark.parametrize(("places", "shape"), [(["stage2", "end"], (N, 16, 5, 3)), (["stage2"], (N, 4, 40, 21))])
def test_a_network_shows_what_its_last_ad_keeps_and_throws_away(places, shape):
    model, x = network(AD=True, AD_after=places).eval(), speech()
    last = model.disentanglement or model.inner_disentanglement["stage2"]
    inputs = []
    last.register_forward_hook(lambda module, given, output: inputs.append(given[0]))
    a, kept, dropped = model.decompose(x)
    IN_F, R, mask = last.decompose(inputs[0])
    assert a.shape == shape and torch.equal(a, mask) and torch.equal(kept, a * R)
    torch.testing.assert_close(kept + dropped + IN_F, inputs[0])
    with pytest.raises(ValueError, match="no AD"):
        network().decompose(x)


def test_instance_norm_alone_at_the_end_maps_every_utterance_to_one_point():
    norm = nn.InstanceNorm2d(C, affine=True)
    pooled = norm(torch.randn(N, C, T, F) * torch.rand(N, C, 1, 1) + torch.randn(N, C, 1, 1)).mean(dim=(2, 3))
    torch.testing.assert_close(pooled, torch.zeros(N, C), atol=1e-5, rtol=0)


def test_under_mean_and_deviation_pooling_the_split_is_more_than_attentive_pooling(feature_map):
    """pool(F⁺) + pool(F⁻) = β + pool(F) holds for the means and not for the deviations."""
    ad, pool = AttributeDisentanglement(C, TFAttention(C, D)).double(), MeanSdPooling(C)
    plus, minus = (pool(part) for part in ad(feature_map))
    gap = (plus + minus - pool(feature_map)).abs()
    assert gap[:, :C].max() < 1e-9 and gap[:, C:].min() > 1e-3


def test_before_the_last_transition_the_normalised_part_reaches_the_embedding():
    """With the residual thrown away, AD behind stage 4 still tells utterances apart; at the end it tells none."""
    embeddings = {}
    for place in ("end", "stage4"):
        model = network(AD=True, AD_after=[place]).eval()
        for ad in [module for module in model.modules() if isinstance(module, AttributeDisentanglement)]:
            ad.attention = Nothing()
        embeddings[place] = model(speech()).embedding
    assert embeddings["end"].std(dim=0).max() < 1e-5 and embeddings["stage4"].std(dim=0).max() > 1e-3


class Nothing(nn.Module):
    def forward(self, R):
        return torch.zeros_like(R)


def test_every_ad_has_a_dual_space_and_their_losses_are_averaged():
    model = network(AD=True, AD_after=["stage1", "stage3", "end"])
    objective = Objective(model, speakers=8, lambda_ad=0.5)
    output = model(speech())
    assert [tuple(plus.shape) for plus, _ in output.spaces] == [(N, 2), (N, 8), (N, 16)]
    assert torch.equal(output.spaces[-1][0], output.embedding)
    terms = objective(output, Y_E, Y_S)
    each = [loss(*space, Y_E, Y_S) for loss, space in zip(objective.dual_spaces, output.spaces)]
    assert terms["L_AD+"].item() == pytest.approx(sum(plus.item() for plus, _ in each) / 3)
    assert terms["L_AD-"].item() == pytest.approx(sum(minus.item() for _, minus in each) / 3)


@pytest.mark.parametrize(
    ("own", "names"),
    [
        ({"lambda_ad": 0.0}, {"L", "L_emo"}),
        ({"lambda_ad": 0.5, "plus": False}, {"L", "L_emo", "L_AD-"}),
        ({"lambda_ad": 0.5, "minus": False}, {"L", "L_emo", "L_AD+"}),
        ({"lambda_ad": 0.0, "lambda_speaker": 0.3}, {"L", "L_emo", "L_spk"}),
    ],
)
def test_terms_of_the_loss_can_be_left_out(own, names):
    model = network(AD=True)
    terms = Objective(model, speakers=8, **own)(model(speech()), Y_E, Y_S)
    weights = {"L_emo": 1.0, "L_AD+": 0.5, "L_AD-": 0.5, "L_spk": 0.3}
    assert terms.keys() == names
    assert terms["L"].item() == pytest.approx(sum(weights[n] * terms[n].item() for n in names - {"L"}), rel=1e-5)


def test_class_weights_weigh_the_emotions():
    model, weights = network(), torch.tensor([1.0, 2.0, 1.0, 4.0])
    output = model(speech())
    found = Objective(model, 8, 0.5, class_weights=weights)(output, Y_E, Y_S)["L_emo"]
    own = -output.logits.log_softmax(dim=1)[torch.arange(N), Y_E]
    assert found.item() == pytest.approx(((weights[Y_E] * own).sum() / weights[Y_E].sum()).item(), rel=1e-5)


def gradient(model, objective, x, term):
    terms = objective(model(x), Y_E, Y_S)
    found = torch.autograd.grad(terms[term], model.extractor.conv1[0].weight, allow_unused=True, retain_graph=True)[0]
    return found, terms


def test_detached_the_loss_on_F_minus_teaches_the_module_and_not_the_backbone():
    x = speech()
    free, cut = network(AD=True), network(AD=True, detach_minus=True)
    cut.load_state_dict(free.state_dict())
    objective = Objective(free, 8, 0.5)
    (there, free_terms), (none, cut_terms) = (gradient(one, objective, x, "L_AD-") for one in (free, cut))
    assert there.abs().max() > 0 and none is None
    assert all(torch.equal(free_terms[name], cut_terms[name]) for name in free_terms)
    learnt = torch.autograd.grad(cut_terms["L_AD-"], list(cut.disentanglement.parameters()), allow_unused=True)
    assert all(g is not None and g.abs().max() > 0 for g in learnt[1:])
    assert gradient(cut, objective, x, "L_AD+")[0].abs().max() > 0


def test_gradient_reversal_changes_the_sign_of_the_gradient_alone():
    x = torch.randn(4, 3, requires_grad=True)
    assert torch.equal(reverse_gradient(x), x)
    (reversed_,) = torch.autograd.grad(reverse_gradient(x).sin().sum(), x)
    torch.testing.assert_close(reversed_, -x.cos())


def test_an_adversarial_speaker_loss_teaches_its_classifier_forwards_and_the_network_backwards():
    second_task, adversary = SpeakerLoss(C, 8), SpeakerLoss(C, 8, adversarial=True)
    adversary.load_state_dict(second_task.state_dict())
    x = torch.randn(N, C, requires_grad=True)
    wanted = torch.autograd.grad(second_task(x, Y_S), [x, second_task.fc.weight])
    found = torch.autograd.grad(adversary(x, Y_S), [x, adversary.fc.weight])
    torch.testing.assert_close(found[0], -wanted[0])
    torch.testing.assert_close(found[1], wanted[1])


def step(model):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    model.train()
    nn.functional.cross_entropy(model(speech()).logits, Y_E).backward()
    optimiser.step()


def test_adapters_begin_as_nothing_and_leave_the_frozen_backbone_untouched():
    model = network(frozen="all", adapters=True)
    plain = network()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("adapters")})
    x = speech()
    assert len(model.adapters) == 20 and torch.equal(model.eval()(x).logits, plain.eval()(x).logits)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    step(model)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"} | {
        name for name in before if name.startswith("adapters")
    }
    conv, adapter = model.extractor.transition2[0], model.adapters[9]
    y = torch.randn(1, 4, 9, 7)
    plain_conv = nn.functional.conv2d(y, conv.weight, stride=2, padding=1)
    beside = nn.functional.conv2d(y, adapter.alpha.weight, stride=2)
    torch.testing.assert_close(conv(y), plain_conv + beside)
    twin = copy.deepcopy(model)
    assert torch.equal(twin.eval()(x).logits, model.eval()(x).logits)
    nn.init.zeros_(twin.adapters[0].alpha.weight)
    assert not torch.equal(twin(x).logits, model(x).logits)


def test_frozen_batch_norm_stays_put_and_the_convolutions_learn():
    model = network(frozen="batch_norm", AD=True)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    step(model)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    convolutions = {f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    assert {name for name in changed if name.startswith("extractor.")} == {
        name for name in convolutions if name.startswith("extractor.")
    }
    assert model.disentanglement.training and model.extractor.training


@pytest.mark.parametrize("extractor", ["resnet18", "vgg5"])
def test_instance_norm_in_the_backbone_has_no_running_statistics(extractor):
    model = network(extractor=extractor, norm="instance")
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert not any("running" in name for name in model.state_dict())
    x = speech()
    both, alone = model.eval()(x).logits, model.eval()(x[:1]).logits
    torch.testing.assert_close(both[:1], alone)
    torch.testing.assert_close(model.train()(x).logits, both)
    names = {name for name, _ in network(extractor=extractor).named_parameters()}
    assert {name for name, _ in model.named_parameters()} == names


def test_vgg5_pools_where_it_is_told():
    assert network(extractor="vgg5").extractor(torch.zeros(1, 1, 300, 41)).shape == (1, 10, 75, 10)
    found = network(extractor="vgg5", vgg5_max_pool=[1, 2, 3]).extractor(torch.zeros(1, 1, 300, 41))
    assert found.shape == (1, 10, 37, 5)


@pytest.mark.parametrize("given", [{}, {"extractor": "vgg5"}, {"extractor": "vgg5", "vgg5_max_pool": [1, 5]}])
def test_the_layers_of_a_configuration_are_those_of_its_network(given):
    assert Network(**given).layers == [name for name, _ in network(**given).extractor.named_children()]


@pytest.mark.parametrize("places", [[], ["stage5"], ["transition4"]])
def test_places_that_are_none_are_refused(places):
    with pytest.raises(ValueError, match=r"name layers of resnet18: conv1, stage1, transition1, .*, stage4, end"):
        Network(AD=True, AD_after=places)


def test_aam_softmax_is_computed_in_single_precision_though_the_network_is_not():
    weight = torch.randn(5, 16)
    embedding = (weight[[0, 1, 2]] + 0.02 * torch.randn(3, 16)).requires_grad_()  # cosines near 1
    plain = aam_softmax(embedding, weight, torch.tensor([0, 1, 2]), 0.2, 30)
    with torch.autocast("cpu", torch.bfloat16):
        loss = aam_softmax(embedding, weight, torch.tensor([0, 1, 2]), 0.2, 30)
    loss.backward()
    assert torch.equal(loss, plain) and embedding.grad.isfinite().all()


def test_aam_softmax_adds_its_margin_to_the_angle_of_the_true_class():
    embedding, weight = torch.randn(N, C), torch.randn(8, C)
    cosine = (embedding @ weight.T) / (embedding.norm(dim=1)[:, None] * weight.norm(dim=1))
    for margin in (0.0, 0.2, 3.0):
        logits = 30 * cosine.double().numpy()
        for n, y in enumerate(Y_S.tolist()):
            logits[n, y] = 30 * math.cos(min(math.acos(cosine[n, y]) + margin, math.pi))
        expected = -(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))[np.arange(N), Y_S].mean()
        assert aam_softmax(embedding, weight, Y_S, margin, 30).item() == pytest.approx(expected, rel=1e-4)


def test_the_auto_encoders_keep_and_remove_by_the_sign_of_their_gradients():
    model, x = ParallelAutoencoders(C, 4, 4, 8), torch.randn(N, C)
    ce = nn.functional.cross_entropy
    z_style, z_speaker = model(x)
    kept = ce(model.emotion_of_style(z_style), Y_E) + ce(model.speaker_of_speaker(z_speaker), Y_S)
    removed = ce(model.speaker_of_style(z_style), Y_S) + ce(model.emotion_of_speaker(z_speaker), Y_E)
    again = sum(((one.decoder(z) - x) ** 2).mean() for one, z in ((model.style, z_style), (model.speaker, z_speaker)))
    loss = model.loss(x, Y_E, Y_S)
    assert loss.item() == pytest.approx((kept + removed + again).item(), rel=1e-5)
    encoder = model.style.encoder[0].weight
    (found,) = torch.autograd.grad(loss, encoder, retain_graph=True)
    (wanted,) = torch.autograd.grad(kept - removed + again, encoder)
    torch.testing.assert_close(found, wanted)


def test_every_pooled_layer_stands_in_the_embedding_as_numpy_has_it():
    model = network(pooling="mean_sd", pool_after=["stage1", "stage3", "end"], bands=2).eval()
    x, expected = speech(), []
    F = x.unsqueeze(1)
    for name, layer in model.extractor.named_children():
        F = layer(F)
        if name in ("stage1", "stage3", "transition4"):
            for band in np.array_split(F.detach().numpy(), 2, axis=3):
                expected += [band.mean(axis=(2, 3)), np.sqrt(band.var(axis=(2, 3)) + 1e-5)]
    found = model(x).embedding.detach().numpy()
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-5)
    assert model.classifier.in_features == found.shape[1] == 2 * 2 * (2 + 8 + 16)


def test_inner_pooling_makes_no_utterance_depend_on_its_neighbours():
    model = network(pooling="mean_sd", pool_after=["stage2", "end"], embedding_norm=True, dropout=0.5)
    utterances = [torch.randn(frames, 41).numpy() for frames in (50, 90, 60)]
    together = infer(model, utterances)
    for row, utterance in enumerate(utterances):
        torch.testing.assert_close(infer(model, [utterance]).logits[0], together.logits[row])


def test_AD_at_the_end_gives_its_spaces_and_the_inner_pools_stay():
    plain, own = (network(pool_after=["stage4", "end"], AD=AD) for AD in (False, True))
    output = own(speech())
    (plus, minus), size = output.spaces[0], plain.classifier.in_features
    assert plus.shape == minus.shape == (N, 16) and output.embedding.shape == (N, size)
    torch.testing.assert_close(output.embedding[:, -16:], plus)


def test_the_embedding_is_normalised_in_front_of_the_classifier():
    model = network(embedding_norm=True)
    output = model(speech())
    e = output.embedding.detach().numpy()
    normed = (e - e.mean(axis=0)) / np.sqrt(e.var(axis=0) + 1e-5)
    expected = normed @ model.classifier.weight.detach().numpy().T + model.classifier.bias.detach().numpy()
    np.testing.assert_allclose(output.logits.detach().numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"pool_after": ["stage1"]}, "must hold 'end'"),
        ({"pool_after": ["stage9", "end"]}, "pool_after .* name layers of resnet18: conv1"),
        ({"bands": 0}, "bands is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_impossible_poolings_are_refused(own, message):
    with pytest.raises(ValueError, match=message):
        Network(**own)

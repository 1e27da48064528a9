"""Equations 1 to 6, written out by hand in NumPy, against the modules; and what follows from them."""

import numpy as np
import pytest
import torch

from steps.nnet.architecture import Network
from steps.nnet.attribute_disentanglement import AttributeDisentanglement
from steps.nnet.dual_space_loss import DualSpaceLoss
from steps.nnet.networks import Classifier
from steps.nnet.objective import Objective
from steps.nnet.pooling import mean as pool
from steps.nnet.tf_attention import TFAttention

N, C, T, F, D = 3, 6, 7, 5, 2


@pytest.fixture
def module():
    torch.manual_seed(0)
    ad = AttributeDisentanglement(C, TFAttention(C, D)).double()
    for parameter in ad.parameters():
        torch.nn.init.normal_(parameter)
    return ad


@pytest.fixture
def feature_map():
    return torch.randn(N, C, T, F, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 + 1


def attention_by_hand(R, attention):
    """Eq. 5 and 6 with loops: the 1 × 1 convolutions are matrices over channels."""
    p = {name: value.detach().numpy().squeeze() for name, value in attention.named_parameters()}
    mask = np.empty_like(R)
    for n in range(N):
        for j in range(T):
            for k in range(F):
                R_F = R[n, :, j, :].mean(axis=1)  # average over frequency, at this time
                R_T = R[n, :, :, k].mean(axis=1)  # average over time, at this frequency
                R_FD = p["time_reduce.weight"] @ R_F + p["time_reduce.bias"]
                R_TD = p["freq_reduce.weight"] @ R_T + p["freq_reduce.bias"]
                R_TF = p["time_expand.weight"] @ R_FD + p["time_expand.bias"]
                R_TF = R_TF + p["freq_expand.weight"] @ R_TD + p["freq_expand.bias"]
                mask[n, :, j, k] = 1 / (1 + np.exp(-R_TF))
    return mask


def disentangle_by_hand(x, module):
    """Eq. 1 to 3."""
    gamma, beta = (p.detach().numpy()[None, :, None, None] for p in module.instance_norm.parameters())
    mu = x.mean(axis=(2, 3), keepdims=True)
    sigma = np.sqrt(((x - mu) ** 2).mean(axis=(2, 3), keepdims=True) + module.instance_norm.eps)
    normalised = gamma * (x - mu) / sigma + beta
    R = x - normalised
    a = attention_by_hand(R, module.attention)
    return normalised + a * R, normalised + (1 - a) * R


def test_attention_is_equations_5_and_6(module, feature_map):
    expected = attention_by_hand(feature_map.numpy(), module.attention)
    np.testing.assert_allclose(module.attention(feature_map).detach().numpy(), expected, atol=1e-12)


def test_the_two_axes_have_separate_weights():
    assert sum(p.numel() for p in TFAttention(C, D).parameters()) == 2 * (C * D + D + D * C + C)


def test_disentanglement_is_equations_1_to_3(module, feature_map):
    for ours, by_hand in zip(module(feature_map), disentangle_by_hand(feature_map.numpy(), module)):
        np.testing.assert_allclose(ours.detach().numpy(), by_hand, atol=1e-10)


def test_the_mask_splits_R_exactly(module, feature_map):
    plus, minus = module(feature_map)
    normalised = module.instance_norm(feature_map)
    R = feature_map - normalised
    torch.testing.assert_close((plus - normalised) + (minus - normalised), R, atol=1e-12, rtol=0)


def test_pooling_divides_the_mean_between_the_spaces(module, feature_map):
    plus, minus = module(feature_map)
    beta = module.instance_norm.bias
    torch.testing.assert_close(pool(plus) + pool(minus), beta + pool(feature_map))
    torch.testing.assert_close(pool(module.instance_norm(feature_map)), beta.expand(N, C))


def test_gradients_of_the_two_spaces_add_up_to_that_of_the_input(module, feature_map):
    """Of the sum F⁺ + F⁻ = IN(F) + F nothing passes through the mask, and through it they are opposite."""
    plus, minus = module(feature_map)
    weights = list(module.attention.parameters())
    gradients = [torch.autograd.grad(part.sin().sum(), weights, retain_graph=True) for part in (plus, minus)]
    assert all(g.abs().max() > 0 for part in gradients for g in part)
    upward = [torch.autograd.grad(part.sum(), weights, retain_graph=True) for part in (plus, minus)]
    for up, down in zip(*upward):
        torch.testing.assert_close(up, -down)


def test_gradients_match_finite_differences(module, feature_map):
    assert torch.autograd.gradcheck(module, feature_map[:1].clone().requires_grad_(), atol=1e-6)


def cross_entropy_by_hand(logits, target):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_posteriors = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_posteriors[np.arange(len(target)), target].mean()


def test_the_dual_space_loss_is_equation_4():
    torch.manual_seed(0)
    loss = DualSpaceLoss(C, emotions=4, speakers=8).double()
    plus, minus = torch.randn(2, N, C, dtype=torch.float64)
    y_e, y_s = torch.tensor([0, 3, 1]), torch.tensor([7, 0, 2])
    for value, fc, x, y in zip(loss(plus, minus, y_e, y_s), (loss.fc_plus, loss.fc_minus), (plus, minus), (y_e, y_s)):
        logits = x.numpy() @ fc.weight.detach().numpy().T + fc.bias.detach().numpy()
        assert value.item() == pytest.approx(cross_entropy_by_hand(logits, y.numpy()), abs=1e-12)


def test_where_F_minus_holds_the_corpus_too_its_loss_is_the_mean_of_both():
    torch.manual_seed(0)
    plain = DualSpaceLoss(C, emotions=4, speakers=8)
    torch.manual_seed(0)
    loss = DualSpaceLoss(C, emotions=4, speakers=8, corpora=3).double()
    assert torch.equal(plain.fc_minus.weight, loss.fc_minus.weight.float())  # it draws behind the others
    plus, minus = torch.randn(2, N, C, dtype=torch.float64)
    y_e, y_s, y_c = torch.tensor([0, 3, 1]), torch.tensor([7, 0, 2]), torch.tensor([2, 0, 0])
    found = loss(plus, minus, y_e, y_s, None, y_c)[1].item()
    each = []
    for fc, y in ((loss.fc_minus, y_s), (loss.fc_corpus, y_c)):
        logits = minus.numpy() @ fc.weight.detach().numpy().T + fc.bias.detach().numpy()
        each.append(cross_entropy_by_hand(logits, y.numpy()))
    assert found == pytest.approx(sum(each) / 2, abs=1e-12)


def test_the_whole_loss_weighs_both_spaces_by_lambda():
    torch.manual_seed(0)
    model = Classifier(Network(width=4, AD=True, D=D), classes=4)
    objective = Objective(model, speakers=8, lambda_ad=0.5)
    y_e, y_s = torch.tensor([0, 3, 1]), torch.tensor([7, 0, 2])
    output = model(torch.randn(3, 100, 41))
    terms = objective(output, y_e, y_s)
    assert terms["L_emo"].item() == pytest.approx(
        cross_entropy_by_hand(output.logits.detach().numpy(), y_e.numpy()), abs=1e-6
    )
    assert terms["L"].item() == pytest.approx((terms["L_emo"] + 0.5 * (terms["L_AD+"] + terms["L_AD-"])).item())


def test_the_three_classifiers_are_three():
    model = Classifier(Network(width=4, AD=True, D=D), classes=4)
    objective = Objective(model, speakers=8, lambda_ad=0.5)
    weights = [
        model.classifier.weight,
        objective.dual_spaces[0].fc_plus.weight,
        objective.dual_spaces[0].fc_minus.weight,
    ]
    assert len({weight.data_ptr() for weight in weights}) == 3
    terms = objective(model(torch.randn(3, 100, 41)), torch.tensor([0, 3, 1]), torch.tensor([7, 0, 2]))
    assert torch.autograd.grad(terms["L_AD+"], model.classifier.weight, allow_unused=True, retain_graph=True)[0] is None
    # The speaker loss reaches the extractor: gradients flow everywhere.
    assert torch.autograd.grad(terms["L_AD-"], model.extractor.conv1[0].weight)[0].abs().max() > 0


def test_without_AD_the_loss_is_that_of_the_emotion_alone():
    model = Classifier(Network(width=4), classes=4)
    terms = Objective(model, speakers=8, lambda_ad=0.5)(model(torch.randn(2, 64, 41)), torch.tensor([0, 1]), None)
    assert terms.keys() == {"L", "L_emo"} and terms["L"] == terms["L_emo"]

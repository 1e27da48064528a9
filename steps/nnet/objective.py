"""What is minimised: L = L_emo + λ (L_AD⁺ + L_AD⁻) (§3.1.3), and what other methods add."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .dual_space_loss import DualSpaceLoss
from .networks import Classifier, Output
from .speaker_loss import SpeakerLoss


class Objective(nn.Module):
    """The loss as a weighted sum of terms; a term of weight 0 is left out.

    With AD in several places every one of them has a dual space loss, and L_AD is the mean over them: λ then weighs the
    same whatever their number, and "everywhere" differs from "at the end" in where alone.
    """

    class_weights: Tensor | None  # (emotions,)

    def __init__(
        self,
        model: Classifier,
        speakers: int,
        lambda_ad: float,
        plus: bool = True,
        minus: bool = True,
        lambda_speaker: float = 0.0,
        adversarial: bool = False,
        class_weights: Tensor | None = None,
        corpora: int = 0,
        label_smoothing: float = 0.0,
    ) -> None:
        """`plus`, `minus`: whether L_AD⁺ and L_AD⁻ count; `lambda_speaker`: the weight of a SpeakerLoss on the
        embedding; `class_weights`: (emotions,), of L_emo and L_AD⁺; `corpora`: how many F⁻ tells apart, 0 for none;
        `label_smoothing`: the share of L_emo's targets that is spread over all classes."""
        super().__init__()
        emotions, size = model.classifier.weight.shape
        self.dual_spaces = nn.ModuleList(
            DualSpaceLoss(space, emotions, speakers, corpora) for space in model.space_sizes
        )
        self.speaker = SpeakerLoss(size, speakers, adversarial) if lambda_speaker else None
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights)
        self.weights = {"L_emo": 1.0, "L_AD+": lambda_ad * plus, "L_AD-": lambda_ad * minus, "L_spk": lambda_speaker}

    def forward(self, output: Output, y_e: Tensor, y_s: Tensor, y_c: Tensor | None = None) -> dict[str, Tensor]:
        """output: of the model; y_e, y_s, y_c: (N,) emotion, speaker and, where F⁻ tells them, corpus indices. Returns
        the loss "L" and its terms, scalars."""
        terms = {"L_emo": cross_entropy(output.logits, y_e, self.class_weights, label_smoothing=self.label_smoothing)}
        if len(self.dual_spaces):
            rest = y_e, y_s, self.class_weights, y_c
            pairs = [loss(*space, *rest) for loss, space in zip(self.dual_spaces, output.spaces)]
            terms["L_AD+"], terms["L_AD-"] = (torch.stack(parts).mean() for parts in zip(*pairs))
        if self.speaker is not None:
            terms["L_spk"] = self.speaker(output.embedding, y_s)
        terms = {name: term for name, term in terms.items() if self.weights[name]}
        weighted = (self.weights[name] * term for name, term in terms.items())
        return {"L": sum(weighted, output.logits.new_zeros(())), **terms}

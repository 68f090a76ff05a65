"""Where to look before the next word: soft attention over the positions of a grid, and the gate that follows it.

Source: Xu et al. 2015, "Show, Attend and Tell: Neural Image Caption Generation with Visual Attention", section 3.1.2
and 4.2; Bahdanau, Cho and Bengio 2015, "Neural Machine Translation by Jointly Learning to Align and Translate".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SoftAttention(nn.Module):
    """Soft attention: a weighted mean of the features at all positions; the weights depend on the decoder's state.

    With a_i the features at position i and h the decoder's hidden state, each position gets a score, and the scores
    become weights::

        e_i = w . relu(W_a a_i + W_h h)      alpha = softmax of e over the positions      context = sum_i alpha_i a_i

    Args:
        encoder_dim: channels of the features.
        decoder_dim: size of the decoder's hidden state.
        attention_dim: size of the hidden layer.

    Attributes:
        encoder_att: W_a, ``nn.Linear(encoder_dim, attention_dim)``.
        decoder_att: W_h, ``nn.Linear(decoder_dim, attention_dim)``.
        full_att: w, ``nn.Linear(attention_dim, 1)``.

    Example:
        >>> attention = SoftAttention(encoder_dim=512, decoder_dim=256, attention_dim=128)
        >>> context, alpha = attention(torch.rand(2, 49, 512), torch.rand(2, 256))
        >>> context.shape, alpha.shape
        (torch.Size([2, 512]), torch.Size([2, 49]))
        >>> torch.allclose(alpha.sum(dim=1), torch.ones(2))  # the weights of each image sum to 1
        True

    Source: Xu et al. 2015, equations 4 to 6 and 13. The paper leaves the network behind e open (its code has tanh, as
    :class:`BahdanauAttention`); relu is that of widely used PyTorch code.
    """

    def __init__(self, encoder_dim: int, decoder_dim: int, attention_dim: int):
        super().__init__()
        self.encoder_att = nn.Linear(encoder_dim, attention_dim)
        self.decoder_att = nn.Linear(decoder_dim, attention_dim)
        self.full_att = nn.Linear(attention_dim, 1)

    def forward(self, features: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Attend to the features once.

        Args:
            features: ``(batch, positions, encoder_dim)``.
            hidden: ``(batch, decoder_dim)``: the decoder's hidden state before the next word.

        Returns:
            ``(context, alpha)``: the weighted mean of the features ``(batch, encoder_dim)`` and the weights
            ``(batch, positions)``, which are positive and sum to 1 over the positions.
        """
        combined = torch.relu(self.encoder_att(features) + self.decoder_att(hidden).unsqueeze(1))
        scores = self.full_att(combined).squeeze(2)  # (batch, positions)
        alpha = torch.softmax(scores, dim=1)
        context = (alpha.unsqueeze(2) * features).sum(dim=1)  # (batch, encoder_dim)
        return context, alpha


class BahdanauAttention(nn.Module):
    """Bahdanau's attention, which is also that of the paper's code: :class:`SoftAttention` with tanh in place of relu.

    With a_i the features at position i and h the decoder's hidden state::

        e_i = w . tanh(W_a a_i + W_h h)      alpha = softmax of e over the positions      context = sum_i alpha_i a_i

    Args:
        encoder_dim: channels of the features.
        decoder_dim: size of the decoder's hidden state.
        attention_dim: size of the hidden layer.

    Attributes:
        encoder_att: W_a, ``nn.Linear(encoder_dim, attention_dim)``.
        decoder_att: W_h, ``nn.Linear(decoder_dim, attention_dim)``.
        full_att: w, ``nn.Linear(attention_dim, 1)``.

    Example:
        >>> attention = BahdanauAttention(encoder_dim=512, decoder_dim=256, attention_dim=128)
        >>> context, alpha = attention(torch.rand(2, 49, 512), torch.rand(2, 256))
        >>> context.shape, alpha.shape
        (torch.Size([2, 512]), torch.Size([2, 49]))

    Source: Bahdanau et al. 2015, appendix A.1.2.
    """

    def __init__(self, encoder_dim: int, decoder_dim: int, attention_dim: int):
        super().__init__()
        self.encoder_att = nn.Linear(encoder_dim, attention_dim)
        self.decoder_att = nn.Linear(decoder_dim, attention_dim)
        self.full_att = nn.Linear(attention_dim, 1)

    def forward(self, features: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Attend to the features once.

        Args:
            features: ``(batch, positions, encoder_dim)``.
            hidden: ``(batch, decoder_dim)``: the decoder's hidden state before the next word.

        Returns:
            ``(context, alpha)``: the weighted mean of the features ``(batch, encoder_dim)`` and the weights
            ``(batch, positions)``, which are positive and sum to 1 over the positions.
        """
        combined = torch.tanh(self.encoder_att(features) + self.decoder_att(hidden).unsqueeze(1))
        scores = self.full_att(combined).squeeze(2)  # (batch, positions)
        alpha = torch.softmax(scores, dim=1)
        context = (alpha.unsqueeze(2) * features).sum(dim=1)  # (batch, encoder_dim)
        return context, alpha


class Gate(nn.Module):
    """The gate behind the attention: how much of the context counts for the next word, channel by channel.

    Some words need the image ("dog"), others follow from the words before them ("of"). The gate is
    ``sigmoid(W h) * context``; its weights W are learned like all others.

    Args:
        decoder_dim: size of the decoder's hidden state.
        encoder_dim: channels of the context.

    Attributes:
        linear: ``nn.Linear(decoder_dim, encoder_dim)``.

    Example:
        >>> gate = Gate(decoder_dim=256, encoder_dim=512)
        >>> gate(torch.rand(2, 512), torch.rand(2, 256)).shape
        torch.Size([2, 512])

    Source: Xu et al. 2015, section 4.2.1, which has one number for all channels; widespread code has one per channel.
    """

    def __init__(self, decoder_dim: int, encoder_dim: int):
        super().__init__()
        self.linear = nn.Linear(decoder_dim, encoder_dim)

    def forward(self, context: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Apply the gate.

        Args:
            context: ``(batch, encoder_dim)``: the attention's result.
            hidden: ``(batch, decoder_dim)``: the decoder's hidden state before the next word.

        Returns:
            ``(batch, encoder_dim)``.
        """
        return torch.sigmoid(self.linear(hidden)) * context


ATTENTIONS: dict[str, type[SoftAttention] | type[BahdanauAttention]] = {
    "relu": SoftAttention,
    "tanh": BahdanauAttention,
}
ACTIVATIONS = {SoftAttention: torch.relu_, BahdanauAttention: torch.tanh_}  # in place: it is the largest tensor of all


def batched_attention(
    attention: SoftAttention | BahdanauAttention, features: Tensor, projected: Tensor, states: Tensor
) -> tuple[Tensor, Tensor]:
    """The results of an attention module for several captions of each image at once, in far less time.

    The projection W_a a_i does not depend on the word, so it is computed once per image instead of once per word. The
    features are not copied for each caption of an image, as a batch of single captions would require.

    Args:
        attention: a :class:`SoftAttention` or :class:`BahdanauAttention`.
        features: (images, positions, channels).
        projected: (images, positions, attention_dim): ``attention.encoder_att(features)``.
        states: (images, captions, hidden).

    Returns:
        The context (images, captions, channels) and alpha (images, captions, positions).
    """
    combined = projected.unsqueeze(1) + attention.decoder_att(states).unsqueeze(2)  # (images, captions, positions, dim)
    hidden = ACTIVATIONS[type(attention)](combined)
    alpha = torch.softmax(attention.full_att(hidden).squeeze(3), dim=2)
    return alpha @ features, alpha

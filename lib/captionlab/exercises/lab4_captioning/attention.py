"""Soft attention and its gate: probes and misconceptions."""

from __future__ import annotations

import torch

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, draw_weights, run
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import gradient_of
from captionlab.grading.probe_helpers import outcome_of


def _cases(rng, attention):
    """A batch, one image alone (which reveals a wrong axis), large scores, and all sizes equal."""
    positions, encoder_dim, decoder_dim, attention_dim = draw_different(rng, 3, 9, 4)
    batch = draw(rng, 2, 3)
    module = draw_weights(rng, attention(encoder_dim, decoder_dim, attention_dim), scale=1.5)

    def attend(images, scale=1.0):
        features = draw_tensor(rng, images, positions, encoder_dim, mean=0.5)
        return run(module, features, draw_tensor(rng, images, decoder_dim) * scale)

    context, alpha = alone if isinstance(alone := outcome_of(attend, 1), tuple) else (alone, alone)
    yield "one image alone: alpha", alpha
    yield "one image alone: the sum of alpha", float(alpha.sum()) if isinstance(alpha, torch.Tensor) else alpha, 0.5
    yield "one image alone: the context", context
    context, alpha = attend(batch)
    label = f"{batch} images, {positions} positions, {encoder_dim} channels: "
    yield label + "the weights alpha", alpha, 3
    yield label + "the context", context
    context, alpha = attend(2, scale=4)
    yield "two images and a large hidden state: alpha", alpha
    yield "two images and a large hidden state: the context", context
    module = draw_weights(rng, attention(encoder_dim=4, decoder_dim=4, attention_dim=4), scale=1.5)
    context, alpha = run(module, draw_tensor(rng, 4, 4, 4), draw_tensor(rng, 4, 4))
    yield "4 images, 4 positions, 4 channels: alpha", alpha
    yield "4 images, 4 positions, 4 channels: the context", context
    features, hidden = draw_tensor(rng, 2, 3, 4).requires_grad_(), draw_tensor(rng, 2, 4).requires_grad_()
    with torch.enable_grad():
        context, alpha = module(features * 1, hidden * 1)
        loss = (context**2).sum() if isinstance(context, torch.Tensor) else context
    for name, inputs in (("features", features), ("hidden state", hidden)):
        yield (
            f"the gradient of the sum of the context's squares for the {name}",
            gradient_of(loss, inputs, again=True),
            4,
        )
    loss = (alpha**2).sum() if isinstance(alpha, torch.Tensor) else alpha
    yield "the gradient of the sum of alpha's squares for the hidden state", gradient_of(loss, hidden), 3


@lab.exercise(
    "captionlab.captioning.attention:SoftAttention",
    points=4,
    minutes=35,
    difficulty=4,
    importance=5,
    rtol=1e-3,
    atol=1e-5,
)
def probe_soft_attention(SoftAttention, rng):
    yield from _cases(rng, SoftAttention)


# In the references.
SOFTMAX, SUM = "torch.softmax(scores, dim=1)", "(alpha.unsqueeze(2) * features).sum(dim=1)"

lab.misconceptions(
    "SoftAttention",
    softmax_over_the_batch=(
        "The softmax runs over the images of the batch, so the weights of one image depend on the others, and "
        "an image alone gets 1 everywhere. Take it over the positions.",
        {SOFTMAX: "torch.softmax(scores, dim=0)"},
    ),
    softmax_over_one_element=(
        "All your weights are 1: the softmax runs over the last axis of (batch, positions, 1), which has one element. "
        "Remove that axis first, or use the axis of the positions.",
        {".squeeze(2)": "", SOFTMAX: "torch.softmax(scores, dim=2).squeeze(2)"},
    ),
    sigmoid_weights=(
        "A sigmoid weights each position on its own, and the weights of an image do not sum to 1. With a softmax over "
        "the positions they compete.",
        {SOFTMAX: "torch.sigmoid(scores)"},
    ),
    no_softmax=(
        "You use the scores as weights: some are negative, and they do not sum to 1. A softmax over the positions "
        "turns them into weights.",
        {SOFTMAX: "scores"},
    ),
    returns_the_scores=(
        "You return the scores from before the softmax instead of the weights.",
        {"return context, alpha": "return context, scores"},
    ),
    forgets_the_state=(
        "Your weights do not depend on the decoder's state: the model looks at the same place for every word. A "
        "relu of each part separately has the same effect, as the state then adds the same to all scores: add "
        "first, then take the relu.",
        {" + self.decoder_att(hidden).unsqueeze(1)": ""},
    ),
    no_relu=(
        "Without the relu the scores are linear, and the state shifts all positions by the same amount, which the "
        "softmax cancels. The relu goes around the sum, before the last layer.",
        {"torch.relu(": "("},
    ),
    no_gradient_for_the_weights=(
        "The weights are cut off from the gradients (detach, no_grad or .data), so the "
        "attention would never learn where to look.",
        {"alpha = torch.softmax(scores, dim=1)": "alpha = torch.softmax(scores, dim=1).detach()"},
    ),
    loses_the_batch_of_one=(
        "A single image loses its batch axis: `squeeze()` removes every axis of length 1. Name the axis to remove.",
        {
            "(combined).squeeze(2)": "(combined).squeeze()",
            SOFTMAX: "torch.softmax(scores, dim=-1)",
            SUM: SUM.replace("(2)", "(-1)"),
        },
    ),
    weights_with_an_axis_too_many=(
        "Your weights are (batch, positions, 1). Remove the last axis before you return them.",
        {"return context, alpha": "return context, alpha.unsqueeze(2)"},
    ),
    weights_before_context=(
        "The two results are swapped: return the context first, then the weights.",
        {"return context, alpha": "return alpha, context"},
    ),
    plain_mean=(
        "The context is the plain mean over the positions: it does not use the attention weights.",
        {SUM: "features.mean(dim=1)"},
    ),
    tanh_for_relu=(
        "You use tanh; this exercise uses relu.",
        {"torch.relu(": "torch.tanh("},
    ),
    relu_of_the_scores=(
        "The relu comes after the last layer, so negative scores become 0. It goes around the sum, before the layer.",
        {"torch.relu(": "(", SOFTMAX: "torch.softmax(torch.relu(scores), dim=1)"},
    ),
    averages_twice=(
        "Your context is too small. It is the weighted sum: do not divide by the number of positions, because "
        "the weights already sum to 1.",
        {SUM: SUM.replace("sum", "mean")},
    ),
    sums_the_projection=(
        "You sum the projection by encoder_att, which is only for the scores. The context is the weighted sum "
        "of the features themselves.",
        {SUM: SUM.replace("features", "self.encoder_att(features)")},
    ),
    sums_over_the_channels=(
        "The sum for the context runs over the channels; it should run over the positions and leave one "
        "number per channel.",
        {SUM: SUM.replace("dim=1", "dim=2")},
    ),
)


lab.other_spellings(
    "SoftAttention",
    loses_the_batch_of_one=[{"(combined).squeeze(2)": "(combined).squeeze()"}],
    forgets_the_state=[
        {
            "torch.relu(self.encoder_att(features) + self.decoder_att(hidden).unsqueeze(1))": "torch.relu("
            "self.encoder_att(features)) + torch.relu(self.decoder_att(hidden)).unsqueeze(1)"
        }
    ],
)


@lab.exercise(
    "captionlab.captioning.attention:BahdanauAttention",
    points=1,
    minutes=8,
    difficulty=2,
    importance=3,
    rtol=1e-3,
    atol=1e-5,
)
def probe_bahdanau_attention(BahdanauAttention, rng):
    yield from _cases(rng, BahdanauAttention)


lab.misconceptions(
    "BahdanauAttention",
    still_relu=(
        "You still use relu. Bahdanau's attention uses tanh instead.",
        {"torch.tanh": "torch.relu"},
    ),
    tanh_of_the_score=(
        "The tanh comes after the last layer. It belongs before it, where the relu was.",
        {"torch.tanh(": "(", SOFTMAX: "torch.softmax(torch.tanh(scores), dim=1)"},
    ),
    tanh_without_the_state=(
        "Your weights do not depend on the decoder's state: the model looks at the same place for every word. A "
        "tanh of each part separately has the same effect, as the state then adds the same to all scores: add "
        "first, then take the tanh.",
        {" + self.decoder_att(hidden).unsqueeze(1)": ""},
    ),
    tanh_of_each_sum_missing=(
        "Without the tanh the scores are linear, and the state shifts all positions by the same amount, which the "
        "softmax cancels. The tanh goes around the sum, before the last layer.",
        {"torch.tanh(": "("},
    ),
    tanh_weights_before_context=(
        "The two results are swapped: return the context first, then the weights.",
        {"return context, alpha": "return alpha, context"},
    ),
    tanh_averages_twice=(
        "Your context is too small. It is the weighted sum: the mean also divides by the number of positions.",
        {SUM: SUM.replace("sum", "mean")},
    ),
    tanh_and_relu=(
        "You use a relu as well as a tanh. Bahdanau's attention uses the tanh only.",
        {"torch.tanh(": "torch.relu(torch.tanh(", ".unsqueeze(1))": ".unsqueeze(1)))"},
    ),
    sigmoid_for_tanh=(
        "You use a sigmoid. Bahdanau's attention uses tanh.",
        {"torch.tanh(": "torch.sigmoid("},
    ),
    tanh_without_gradient=(
        "The weights are cut off from the gradients (detach, no_grad or .data), so the "
        "attention would never learn where to look.",
        {"alpha = torch.softmax(scores, dim=1)": "alpha = torch.softmax(scores, dim=1).detach()"},
    ),
    tanh_softmax_over_the_batch=(
        "The softmax runs over the images of the batch. Take it over the positions.",
        {SOFTMAX: "torch.softmax(scores, dim=0)"},
    ),
)


lab.other_spellings(
    "BahdanauAttention",
    tanh_without_the_state=[
        {
            "torch.tanh(self.encoder_att(features) + self.decoder_att(hidden).unsqueeze(1))": "torch.tanh("
            "self.encoder_att(features)) + torch.tanh(self.decoder_att(hidden)).unsqueeze(1)"
        }
    ],
    tanh_weights_before_context=[{"return context, alpha": "return alpha, context", "torch.tanh": "torch.relu"}],
)


@lab.exercise(
    "captionlab.captioning.attention:Gate", points=1, minutes=10, difficulty=2, importance=4, rtol=1e-3, atol=1e-5
)
def probe_gate(Gate, rng):
    decoder_dim, encoder_dim = draw_different(rng, 3, 8, 2)
    gate = draw_weights(rng, Gate(decoder_dim, encoder_dim), scale=2.0)
    batch = draw(rng, 2, 4)
    context, hidden = draw_tensor(rng, batch, encoder_dim), draw_tensor(rng, batch, decoder_dim)
    yield "one image", run(gate, context[:1], hidden[:1])
    yield f"{batch} images, encoder_dim {encoder_dim}, decoder_dim {decoder_dim}", run(gate, context, hidden)
    yield "the same context, another hidden state", run(gate, context, draw_tensor(rng, batch, decoder_dim))
    yield "a context of zeros", run(gate, torch.zeros(1, encoder_dim), hidden[:1]), 0.5
    yield "a context of ones", run(gate, torch.ones(1, encoder_dim), hidden[:1]), 0.5
    gate = draw_weights(rng, Gate(decoder_dim=5, encoder_dim=5), scale=2.0)
    yield "encoder_dim and decoder_dim equal", run(gate, draw_tensor(rng, 2, 5), draw_tensor(rng, 2, 5))
    context, hidden = draw_tensor(rng, 2, 5).requires_grad_(), draw_tensor(rng, 2, 5).requires_grad_()
    with torch.enable_grad():
        result = gate(context * 1, hidden * 1)
        loss = (result**2).sum() if isinstance(result, torch.Tensor) else result
    label = "the gradient of the sum of the squares for the "
    yield label + "context", gradient_of(loss, context, again=True)
    yield label + "hidden state", gradient_of(loss, hidden), 5


GATE = "torch.sigmoid(self.linear(hidden))"  # in the reference

lab.misconceptions(
    "Gate",
    leaves_the_gate_out=(
        "The context is returned unchanged: the gate is missing. Multiply the context by the sigmoid of the layer.",
        {f"{GATE} * ": ""},
    ),
    no_sigmoid=(
        "The gate is not between 0 and 1: without the sigmoid it can change the sign of features and amplify them.",
        {GATE: "self.linear(hidden)"},
    ),
    gate_alone=(
        "You return the gate itself. Multiply it by the context.",
        {" * context": ""},
    ),
    tanh_gate=(
        "A tanh ranges from -1 to 1. A gate is open (1), closed (0) or in between: use a sigmoid.",
        {"sigmoid": "tanh"},
    ),
    sigmoid_of_the_product=(
        "You take the sigmoid of the product. It belongs around the layer only; the context itself is not squashed.",
        {f"{GATE} * context": "torch.sigmoid(self.linear(hidden) * context)"},
    ),
    adds_the_gate=(
        "You add the gate to the context. Multiply the two: a gate of 0 closes a channel, a gate of 1 leaves "
        "it unchanged.",
        {f"{GATE} * context": f"{GATE} + context"},
    ),
    closes_instead_of_opens=(
        "The gate is inverted: 1 minus the sigmoid. The sigmoid itself says how much of the context passes.",
        {GATE: f"(1 - {GATE})"},
    ),
    sigmoid_twice=(
        "There are two sigmoids. One around the layer is enough; the context is not squashed.",
        {GATE: f"torch.sigmoid({GATE})"},
    ),
    gate_without_gradient=(
        "The gate is cut off from the gradients, so it would never learn.",
        {GATE: f"{GATE}.detach()"},
    ),
    softmax_gate=(
        "With a softmax the channels compete for a sum of 1, and each one becomes tiny. Each channel has a gate of its "
        "own: use a sigmoid.",
        {GATE: "torch.softmax(self.linear(hidden), dim=1)"},
    ),
)

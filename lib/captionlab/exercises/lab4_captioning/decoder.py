"""Find the bug: the initial state; and one step of the recurrent cell. Probes and misconceptions."""

from __future__ import annotations

import torch
from torch import nn

from captionlab.exercises.drawing import draw, draw_different, draw_tensor, draw_weights, on_copies, run, torch_seed
from captionlab.exercises.lab4_captioning.common import lab
from captionlab.exercises.observing import gradient_of


@lab.exercise(
    "captionlab.captioning.decoder:InitialState",
    points=1,
    minutes=12,
    difficulty=2,
    importance=4,
    rtol=1e-3,
    atol=1e-5,
    starter="both_from_one_layer",
)
def probe_initial_state(InitialState, rng):
    positions, encoder_dim, decoder_dim = draw_different(rng, 3, 8, 3)
    initial = draw_weights(rng, InitialState(4, 5), scale=1.5)
    h0, c0 = run(initial, draw_tensor(rng, 2, 4, 4, mean=0.5))
    yield "2 images, 4 positions, 4 channels: h0", h0
    yield "2 images, 4 positions, 4 channels: c0", c0
    initial = draw_weights(rng, InitialState(encoder_dim=encoder_dim, decoder_dim=decoder_dim), scale=1.5)
    batch = draw(rng, 2, 4)
    h0, c0 = run(initial, draw_tensor(rng, batch, positions, encoder_dim, mean=0.5))
    label = f"{batch} images, {positions} positions, encoder_dim {encoder_dim}, decoder_dim {decoder_dim}: "
    yield label + "h0", h0
    yield label + "c0", c0
    features = draw_tensor(rng, 2, positions, encoder_dim).requires_grad_()
    for name, number in (("h0", 0), ("c0", 1)):
        with torch.enable_grad():
            loss = (initial(features * 1)[number] ** 2).sum()
        yield f"the gradient of the sum of the squares of {name} for the features", gradient_of(loss, features)


STATES = "self.init_h(mean), self.init_c(mean)"  # in the reference

lab.misconceptions(
    "InitialState",
    both_from_one_layer=(
        "This does the same as the code you were given. Which layer does each of the two states come from? "
        "One of the layers is never used, so it never learns.",
        {
            f"return {STATES}": "h0 = self.init_h(mean)\n        c0 = self.init_h(mean)\n        return h0, c0",
        },
    ),
    swaps_the_two=(
        "The two states are swapped: return h0 first, then c0.",
        {STATES: "self.init_c(mean), self.init_h(mean)"},
    ),
    sums_the_positions=(
        "You add up the features of all positions. With their mean, the state does not grow with the size of the grid.",
        {"features.mean(dim=1)": "features.sum(dim=1)"},
    ),
    averages_the_channels=(
        "You average over the channels, which leaves one number per position. Average over the positions (axis 1).",
        {"features.mean(dim=1)": "features.mean(dim=2)"},
    ),
    takes_the_largest=(
        "You take the maximum of each channel. Take the mean over the positions.",
        {"features.mean(dim=1)": "features.amax(dim=1)"},
    ),
    squashes_the_states=(
        "There is a tanh after your layers. Some code has one; here the states are the outputs of the layers.",
        {STATES: "torch.tanh(self.init_h(mean)), torch.tanh(self.init_c(mean))"},
    ),
    only_c_squashed=(
        "There is a tanh after one of your layers. Here the states are the outputs of the layers.",
        {STATES: "torch.tanh(self.init_h(mean)), self.init_c(mean)"},
    ),
    no_gradient_for_the_features=(
        "The mean is cut off from the gradients (no_grad or detach), so an encoder that is "
        "fine-tuned would learn nothing from the states.",
        {"features.mean(dim=1)": "features.mean(dim=1).detach()"},
    ),
    no_gradient_at_all=(
        "The states are cut off from the gradients (no_grad or detach), so the two layers would never learn.",
        {STATES: "self.init_h(mean).detach(), self.init_c(mean).detach()"},
    ),
    averages_the_batch=(
        "You average over the images of the batch, too. Each image has a state of its own: average over the "
        "positions only.",
        {"features.mean(dim=1)": "features.mean(dim=(0, 1)).expand(len(features), -1)"},
    ),
    takes_the_corner=(
        "You use only the first position, the top left corner. Take the mean over all of them.",
        {"features.mean(dim=1)": "features[:, 0]"},
    ),
)


@lab.exercise(
    "captionlab.captioning.decoder:decoder_step", points=2, minutes=15, difficulty=2, importance=5, rtol=1e-3, atol=1e-5
)
def probe_decoder_step(decoder_step, rng):
    step, decoder_step = decoder_step, on_copies(decoder_step)
    embed_dim, encoder_dim, decoder_dim = draw_different(rng, 3, 8, 3)
    batch = draw(rng, 2, 4)

    def cases(family, states, weight):
        name = family.__name__
        with torch_seed(0):
            cell = draw_weights(rng, family(embed_dim + encoder_dim, decoder_dim), scale=1.5)
        embedding, context = draw_tensor(rng, batch, embed_dim), draw_tensor(rng, batch, encoder_dim)
        state = tuple(draw_tensor(rng, batch, decoder_dim) for _ in range(states))
        with torch.no_grad():
            output, new = decoder_step(cell, embedding, context, state)
        yield f"{name}, {batch} captions: the output", output, 4 * weight
        yield f"{name}: the type of the new state", type(new).__name__, 2 * weight
        yield f"{name}: the new state", list(new), 3 * weight
        ones = torch.ones(batch, embed_dim)
        with torch.no_grad():
            output, new = decoder_step(cell=cell, embedding=ones, context=context, state=new)
        yield f"{name}, a second step: the output", output, weight
        yield f"{name}, a second step: the state", list(new), weight
        embedding = embedding.requires_grad_()
        with torch.enable_grad():
            loss = (step(cell, embedding * 1, context, state)[0] ** 2).sum()
        label = f"{name}: the gradient of the sum of the output's squares for the embedding"
        yield label, gradient_of(loss, embedding), 4 * weight

    yield from cases(nn.LSTMCell, 2, 3)
    yield from cases(nn.GRUCell, 1, 1.5)
    yield from cases(nn.RNNCell, 1, 1)


@lab.misconception(
    "decoder_step",
    hint="You unpack the state of a GRU. A GRU has no cell state: it takes a single tensor, not two, and "
    "returns a single tensor, which cannot be unpacked into h and c.",
)
def two_states_for_every_cell(cell, embedding, context, state):
    if not isinstance(cell, nn.LSTMCell):
        state = (state[0], torch.zeros_like(state[0]))
    h, c = cell(torch.cat([embedding, context], dim=1), state)
    return h, (h, c)


lab.misconceptions(
    "decoder_step",
    unpacks_every_state=(
        "The state of a GRU or a plain RNN is a tuple with one tensor, (h,), which cannot be unpacked into h "
        "and c: check the type of the cell first.",
        {"inputs = ": "h, c = state\n    inputs = "},
    ),
    context_before_embedding=(
        "Your context comes before the embedding. The weights of a trained cell expect the order [embedding, context].",
        {"[embedding, context]": "[context, embedding]"},
    ),
    no_tuple_for_one_state=(
        "Your new state of a GRU or RNN is a bare tensor. The code around it expects a tuple: return (h,), with the "
        "comma.",
        {"state[0])": "state[0] if isinstance(state, tuple) else state)", "(h,)": "h"},
    ),
    predicts_from_the_cell=(
        "For an LSTM you return the cell state c as the output. Words are predicted from the hidden state h.",
        {"return h, (h, c)": "return c, (h, c)"},
    ),
    returns_the_old_state=(
        "The state you return is the old one: the decoder would forget each word immediately.",
        {"return h, (h, c)": "return h, state", "return h, (h,)": "return h, state"},
    ),
    starts_from_zeros=(
        "You call the cell without a state, so it starts from zeros each time and remembers nothing.",
        {"cell(inputs, state)": "cell(inputs)", "cell(inputs, state[0])": "cell(inputs)"},
    ),
    only_the_gru_has_one_state=(
        "You treat a plain RNN (nn.RNNCell) like an LSTM. It has no cell state either: only nn.LSTMCell has one.",
        {"if isinstance(cell, nn.LSTMCell)": "if not isinstance(cell, nn.GRUCell)"},
    ),
    a_list_for_the_state=(
        "The new state is a list. Return a tuple, like the one that was passed in.",
        {"return h, (h, c)": "return h, [h, c]", "return h, (h,)": "return h, [h]"},
    ),
    lstm_state_without_c=(
        "The new state of an LSTM has one tensor. It needs two, (h, c): the next step also needs the cell state.",
        {"return h, (h, c)": "return h, (h,)"},
    ),
    step_without_gradient=(
        "The output is cut off from the gradients (no_grad or detach), so the decoder would never learn.",
        {"return h, (h, c)": "return h.detach(), (h, c)", "return h, (h,)": "return h.detach(), (h,)"},
    ),
    swaps_h_and_c=(
        "h and c of the LSTM are swapped in the new state; nn.LSTMCell takes and returns them as (h, c).",
        {"return h, (h, c)": "return h, (c, h)"},
    ),
)

lab.other_spellings(
    "decoder_step",
    returns_the_old_state=[{"return h, (h,)": "return h, state"}, {"return h, (h, c)": "return h, state"}],
)

"""Captioning images with attention: Show, Attend and Tell (Lab 4).

    from captionlab.captioning import Captioner

    caption = Captioner.load("runs/flickr8k")
    caption("photo.jpg")                              # 'a brown dog is running through the grass'

In reading order:

text, vocabulary    from a caption to words, and from words to numbers
corpora             captioned images: Flickr8k, Flickr30k, COCO, and the drawn scenes that need no download
embeddings          word vectors trained elsewhere, or on the captions
encoders            a classification network without its head: a grid of feature vectors
grid_features       the grids of a whole corpus, computed once and kept on disk
attention           where to look: soft attention and the gate
decoder             one word after the other: initial state, recurrent cell, the whole decoder
batches             captions in order of length, so that captions that have ended are left out
caption_dataset        images with their captions as numbers, dealt out in batches
loss                cross-entropy over real words, and the penalty on attention
sampling            scheduled sampling: training on the model's own words
optimization        clipping of gradients, the best epoch
evaluation          loss with the true words given, BLEU of the model's own
settings            everything a run depends on, with defaults
self_critical       the last epochs may learn from the BLEU of captions the model draws
training            the loop: best checkpoint, early stopping, exact resume
search              greedy search, sampling, beam search
teacher_forcing     what is read and what predicted; scores of captions written without help
metrics             top-5 accuracy and BLEU
runs                from settings to a trained model
captioner           a trained model as a function from photographs to captions
pictures            attention shown word by word
looking             does the model look at what it names? measured on drawn scenes
experiments         one setting changed at a time; noise: noisy photographs; tables: what comes of them
"""

from __future__ import annotations


def __getattr__(name: str) -> object:
    if name == "Captioner":  # loaded when asked for: the rest of the room does not need torchvision's networks
        from captionlab.captioning.captioner import Captioner

        return Captioner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

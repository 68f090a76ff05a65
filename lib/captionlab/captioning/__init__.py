"""Captioning images with attention: Show, Attend and Tell (Lab 4).

    from captionlab.captioning import Captioner

    captioner = Captioner.load("runs/flickr8k")
    captioner("photo.jpg")                            # 'a brown dog is running through the grass'

The modules in reading order. First the data:

text, vocabulary    from a caption to words, and from words to token ids
captioned_images    records of images with captions
splitting           training, dev and test images
datasets, readers   Flickr8k, Flickr30k, COCO, and drawn scenes that need no download
embeddings          pretrained word vectors, or Word2Vec on the captions; vector_files reads them
encoders            a classification network without its head: a grid of feature vectors
grid_features       the grids of a whole dataset, computed once and kept on disk
caption_dataset     images with their captions as token ids, and their batches

Then the model:

attention           where to look: additive attention, and the gate behind it
batches             captions sorted by length, so that captions that have ended are left out
decoder             one word after the other: initial state, recurrent cell, the whole decoder
teacher_forcing     what the decoder reads and what it predicts; scores of captions generated without help
loss                cross-entropy over real words, and the attention penalty
sampling            scheduled sampling: training on the model's own words
search              greedy search, sampling a word, and the steps of a beam search
batched_search      the searches for many images at once, with the attention weights
metrics             top-5 accuracy and BLEU

Then training and use:

settings            everything a run depends on, with defaults; configurations holds the packaged ones
optimization        gradient clipping, and the best epoch
evaluation          loss with teacher forcing, BLEU of generated captions
self_critical       the last epochs may train on the BLEU of sampled captions
training, resuming  the training loop with its best checkpoint and early stopping; resuming it exactly
runs                from settings to a trained model and its scores
warm_start          a new run from the weights of an earlier one
captioner           a trained model as a function from images to captions
attention_maps      attention weights as maps over the image
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "attention": ["BahdanauAttention", "Gate", "SoftAttention", "batched_attention"],
        "caption_dataset": ["CaptionDataset"],
        "attention_maps": ["attention_heatmap", "upsample_attention"],
        "batched_search": ["beam_search", "sample"],
        "captioned_images": ["CaptionedImage", "DatasetSplits", "InMemoryImage"],
        "captioner": ["Caption", "Captioner"],
        "configurations": ["load_configuration"],
        "datasets": ["load_dataset"],
        "decoder": ["Decoder", "DecoderOutput", "EncodedImages", "InitialState", "decoder_step"],
        "encoders": ["Encoder", "GridEncoder", "load_encoder"],
        "evaluation": ["CaptionModel", "evaluate_generation", "evaluate_teacher_forcing", "generate"],
        "grid_features": ["GridFeatureExtractor", "GridFeatures", "extract_grid_features"],
        "loss": ["attention_penalty", "caption_loss"],
        "metrics": ["bleu", "top_k_accuracy"],
        "runs": ["evaluate", "prepare_data", "train"],
        "search": ["beam_step", "best_caption", "greedy_search", "sample_word"],
        "settings": ["DecoderSettings", "RunSettings", "TrainingSettings"],
        "text": ["tokenize"],
        "training": ["Trainer"],
        "vocabulary": ["Vocabulary"],
    },
)

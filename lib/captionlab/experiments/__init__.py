"""What the labs compare and measure; ``captionlab experiment`` runs it. Each experiment gives a table and a figure.

=============== ==========================================================================================
`results`       the one writer of results: JSON, CSV and PNG files, with command, seed, versions and machine
`image_folders` the images of Labs 2 and 3: a fetched data set, or a folder laid out like it
`classify`      Lab 1: what a pretrained network sees in images
`scenes`        Lab 2: deep features and a linear SVM on scenes
`bees_ants`     Lab 3: seven methods and two networks on bees and ants
`captions`      Lab 4: decoders, encoders, training and search of captioning models
=============== ==========================================================================================
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"results": ["command_line", "write_results"]})

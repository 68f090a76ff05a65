"""Image data sets: small ones drawn by code, and real ones that are downloaded.

In reading order:

- `drawn_objects`: single objects on a cluttered background, on which the embedded networks are pretrained; their shapes
  are in `signed_distances`.
- `drawn_scenes`, `drawn_bees_ants`: stand-ins for the photographs of Labs 2 and 3, drawn on a `canvas`; the drawings of
  the scenes are in `scene_drawings`, and `drawn_splits` makes training and test sets.
- `drawn_captions`: scenes with five captions each, for Lab 4.
- `catalog`: the real data sets, their sources, sizes and terms; `scene15` has the split that the course uses.
- `store`: `fetch` downloads and installs a data set, `locate` finds it; `paths` says where.
- `sources`, `download`, `archives`, `disk`: the parts of a fetch; `errors`: what can go wrong.
- `folders`: reads folders with one subfolder per class; `verification` checks a whole data set.
- `catalog_page`: the catalog as part of docs/data.md.
"""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "drawn_objects": [],
        "drawn_scenes": [],
        "drawn_bees_ants": [],
        "drawn_captions": ["CaptionedScene", "make_scenes"],
        "catalog": ["DATASETS", "get_dataset"],
        "store": ["fetch", "locate"],
        "paths": ["data_root", "find_mirror"],
        "folders": ["ImageList", "list_images", "read_split"],
        "verification": ["verify"],
        "errors": ["DamagedFile", "DataError", "MissingAtSource", "NotFetched", "UnsafeArchive", "Unreachable"],
    },
)

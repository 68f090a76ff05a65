"""The catalog as text for docs/data.md; a test fails when the page is behind the catalog."""

from __future__ import annotations

from captionlab.datasets import scene15
from captionlab.datasets.catalog import DATASETS, Archive, Dataset
from captionlab.datasets.disk import readable

BEGIN = "<!-- made from the catalog by data_scripts/make_data_page.py: edit captionlab/datasets/catalog.py -->"
END = "<!-- end of what is made from the catalog -->"


def updated(page: str) -> str:
    """The page with everything between BEGIN and END made anew.

    Raises:
        ValueError: the page lacks one of the two markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no part between {BEGIN!r} and {END!r}; put both lines back")
    return f"{before}{BEGIN}\n\n{catalog()}\n{END}{after}"


def catalog() -> str:
    """The table of all data sets and a section on each, in Markdown."""
    lines = ["| name | data set | what | download |", "| --- | --- | --- | --- |"]
    lines += [f"| `{d.name}` | {d.title} | {d.what} | {readable(d.size)} |" for d in DATASETS.values()]
    return "\n".join(lines) + "\n" + "".join(_section(dataset) for dataset in DATASETS.values())


def _section(dataset: Dataset) -> str:
    """One data set: home, terms, layout, archives, papers, what a mirror's copy differs in."""
    lines = ["", f"### `{dataset.name}`: {dataset.title}", "", f"- Home: <{dataset.home}>", f"- Terms: {dataset.terms}"]
    lines += [f"- Layout: `{dataset.folder}/`, of which", "", "  ```text"]
    lines += [f"  {line}" for line in dataset.layout] + ["  ```", ""]
    lines.append(f"- The mirror's copy: {dataset.mirrored}.")
    if dataset.strays:
        lines.append(f"- Left out, being no images: {', '.join(f'`{stray}`' for stray in dataset.strays)}.")
    if dataset.name == "scene15":
        names = ", ".join(f"`{public}` → `{scene15.class_name(public)}`" for public in scene15.PUBLIC)
        lines.append(f"- Public folder → class: {names}.")
    lines.append("- Cite:")
    lines += [f"  - {paper}" for paper in dataset.papers]
    lines += ["- Archives:"] + [line for archive in dataset.archives for line in _archive(archive)]
    return "\n".join(lines) + "\n"


def _archive(archive: Archive) -> list[str]:
    size = f"{archive.size} bytes" if archive.exact else f"about {readable(archive.size)}"
    checksum = f"`{archive.checksum}` ({archive.vouched})" if archive.checksum else "no checksum published"
    also = f" or `{'`, `'.join(archive.also)}`" if archive.also else ""
    homes = "; else ".join(f"<{url}>" for url in archive.urls)
    return [f"  - `{archive.name}`{also} in a mirror; public: {homes}, {size}, {checksum}"]

"""Bring docs/data.md up to the catalog: `python data_scripts/make_data_page.py`, with --check only to compare."""

from pathlib import Path

import click

from captionlab.datasets.catalog_page import updated

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data.md"


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if the page is behind the catalog.")
def main(check: bool) -> None:
    """Make the part of docs/data.md that comes from the catalog."""
    page = PAGE.read_text("utf-8")
    made = updated(page)
    if check and made != page:
        raise click.ClickException("docs/data.md is behind the catalog; run data_scripts/make_data_page.py")
    PAGE.write_text(made, "utf-8")


if __name__ == "__main__":
    main()

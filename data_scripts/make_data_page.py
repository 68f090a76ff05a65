"""Update docs/data.md from the catalog: `python data_scripts/make_data_page.py`; --check only compares."""

from pathlib import Path

import click

from captionlab.datasets.catalog_page import update_page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data.md"


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if the page is out of date.")
def main(check: bool) -> None:
    """Regenerate the part of docs/data.md that comes from the catalog."""
    page = PAGE.read_text("utf-8")
    generated = update_page(page)
    if check and generated != page:
        raise click.ClickException("docs/data.md is out of date; run data_scripts/make_data_page.py")
    PAGE.write_text(generated, "utf-8")


if __name__ == "__main__":
    main()

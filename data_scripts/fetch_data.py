"""Fetch the real data sets of the labs: the same as `captionlab data fetch`, for those who look here first.

python data_scripts/fetch_data.py hymenoptera scene15 flickr8k [--mirror FOLDER|URL] [--data-root FOLDER]
"""

from captionlab.commands.data import fetch

if __name__ == "__main__":
    fetch()

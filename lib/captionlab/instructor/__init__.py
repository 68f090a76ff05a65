"""Where marks go: nbgrader's database, and other gradebooks."""

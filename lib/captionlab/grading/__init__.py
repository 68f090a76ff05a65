"""Exercises, probes, observations, the judge and the sandbox; knows nothing of the subject taught."""

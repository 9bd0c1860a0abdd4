"""Accepts one hyperparameter and refuses all others, as argparse does."""

import argparse

arguments = argparse.ArgumentParser()
arguments.add_argument("--epochs", type=int)
arguments.parse_args()
raise RuntimeError("the labels do not fit the images")

"""Writes a page with what a notebook shows of runs and beliefs. Usage: frames.py FILE.html"""

import sys
from pathlib import Path

import hartline as hl

shown = [
    hl.Experiment.example("gabor", set={"num_trials": 40}).run(),
    hl.Experiment.example("tuning_curve").run().belief(),
    hl.Experiment.example("psychometric").run(),
    hl.Experiment.example("population", set={"num_trials": 20}).run().belief(),
    hl.models.glm(shape=[6, 6]).prior(),
]
Path(sys.argv[1]).write_text("<!doctype html><meta charset=utf-8>" + "".join(thing._repr_html_() for thing in shown))

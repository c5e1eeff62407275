"""Recipes: a cfg for a model and N classes, ready to train, and the pretrained files that go with it.

cfg = recipes.make_cfg("yolov3-tiny", classes=3)
formats.write_cfg("net.cfg", cfg)
"""

from . import yolov3_tiny, yolov4
from .anchors import calc_anchors, format_anchors, parse_anchors, rescale_anchors
from .base import Recipe, RecipeOptions, get_recipe, list_recipes, make_cfg, recommended_steps, register

for _recipe in (*yolov3_tiny.RECIPES, *yolov4.RECIPES):
    register(_recipe)

__all__ = [
    "Recipe",
    "RecipeOptions",
    "calc_anchors",
    "format_anchors",
    "get_recipe",
    "list_recipes",
    "make_cfg",
    "parse_anchors",
    "recommended_steps",
    "register",
    "rescale_anchors",
]

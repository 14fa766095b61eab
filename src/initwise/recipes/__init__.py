"""Recipes: how published model families initialize, part by part."""

from .base import Recipe, RecipeRow, recipe, recipes, registry
from .parts import PARTS, part_of
from .rules import Rule

__all__ = ["PARTS", "Recipe", "RecipeRow", "Rule", "part_of", "recipe", "recipes", "registry"]

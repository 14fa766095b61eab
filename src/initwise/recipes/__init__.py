"""Recipes: how published model families initialize, parameter by parameter."""

from .base import Recipe, RecipeRow, Step, recipe, recipes, registry

__all__ = ["Recipe", "RecipeRow", "Step", "recipe", "recipes", "registry"]

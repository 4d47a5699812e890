"""Keeps numbers within what people can be, and says "unsure" where a classification is."""

import numpy as np

MAX_AGE = 120
UNSURE_BELOW = 0.6


class Cautious:
    """Made once in each worker process. It may hold what it likes: tables, a tokenizer, a connection."""

    def before(self, inputs):
        """Tensors by name, as the caller sent them; what is returned goes to the model."""
        age = inputs["age"]
        if np.any(age < 0):
            raise ValueError("age: a person is 0 years old or more")
        return {**inputs, "age": np.minimum(age, np.float32(MAX_AGE))}

    def after(self, inputs, outputs):
        """All outputs of the model, as `before` has changed what it was asked; what is returned goes to the caller."""
        is_sure = outputs["probabilities"].max(axis=1) >= UNSURE_BELOW
        return {**outputs, "label": np.where(is_sure, outputs["label"], "unsure")}

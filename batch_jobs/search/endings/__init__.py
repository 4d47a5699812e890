"""What a study may end with beside its best trial: a combination of models, a decomposition, a compressed model."""

"""Why a model answered as it did: what each part of a row contributes."""

"""What the sample function finds in its layer."""


def greeting() -> str:
    return "from the layer"

"""Random changes to training images, in batches, on the device that the batch is on.

Kornia does the work; it needs no torchvision. Everything random comes from the generator that a call is given.
"""

"""Random changes to training data: to batches, on the device that the batch is on, and rows added to rare classes.

Kornia changes the images; it needs no torchvision. For series there is no library that is kept up and works on batches
of tensors (tsaug's last release is of 2020): what is here are the formulas of the papers. Everything random comes from
the generator that a call is given.
"""

"""Amazon's image-classification algorithm, written anew on MXNet from its public contract.

`train` and `serve` of the image start here. Nothing of the emulator is imported.
"""

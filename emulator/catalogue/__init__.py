"""Which local image stands for which reference, and how the images are made."""

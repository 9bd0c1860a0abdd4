"""Amazon's image-classification algorithm, from a folder of pictures to their labels."""

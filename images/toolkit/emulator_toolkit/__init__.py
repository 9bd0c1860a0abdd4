"""What the framework images add to Amazon's training and inference toolkits.

It runs inside containers, on their Python, and knows nothing of the emulator outside.
"""

"""A notebook instance from inside: lifecycle scripts, repositories, Jupyter.

Nothing of the emulator is imported; what it asks for is in /opt/ml/notebook-instance/instance.json.
"""

"""Which pretrained model, and which of its layers, should I transfer?"""

__version__ = "0.1.0"

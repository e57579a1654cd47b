"""Networks handed on: ONNX files and PyTorch modules with equal predictions."""

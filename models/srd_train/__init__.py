"""Makes the default model: data, first stage, encoder, calibration, quantization, card."""

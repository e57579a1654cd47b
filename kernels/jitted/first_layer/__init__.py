"""The first dense layer: products with the user's array X, whatever its dtype and strides."""

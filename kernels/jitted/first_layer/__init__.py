"""The first dense layer, straight from the user's array whatever its dtype and strides."""

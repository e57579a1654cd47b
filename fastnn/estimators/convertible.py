"""Convertible: what skl2onnx asks of an estimator while it reads a pipeline."""

from __future__ import annotations

from ..errors import SettingError


class Convertible:
    """An estimator that skl2onnx converts once `register_skl2onnx` has been called."""

    _registered = False  # set for all by register_skl2onnx

    def onnx_parser(self) -> None:
        """Return None, for skl2onnx's own parser serves; it calls this before it converts.

        Raises
        ------
        SettingError
            Before skl2onnx knows the converters.
        """
        if not Convertible._registered:
            raise SettingError(
                f"skl2onnx does not know {type(self).__name__} yet; call "
                "fastnn.estimators.register_skl2onnx() once before it converts"
            )

"""How objects show themselves: tables as text and HTML, curves as SVG, short descriptions."""

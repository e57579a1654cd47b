"""The complementary error function: the coefficients of one polynomial that serves all of it.

(y + 2) exp(y²) erfc y, y ≥ 0, in powers of t = (y − 2) / (y + 2). The factor leaves a function
between 0.56 and 2 over the whole of −1 ≤ t ≤ 1: the idea of Shepherd and Laframboise (Math. Comp.
36, 1981) with another constant. 3 would do with three terms less in float64, but then the slope at
y = 0 is steep and the rounding of t counts twice as much. Fitted for fastnn with 60 digits:
interpolated in 61 Chebyshev nodes, cut after degree 10 and 26, rewritten in powers. What is cut
adds up to 1.3e-8 in ERFC_FLOAT32, for float32, and to 1.5e-17 in ERFC_FLOAT64, for float64.
"""

from __future__ import annotations

ERFC_FLOAT32 = (
    *(1.02158271, -0.687160637, 0.279471467, -0.0364433389, -0.0215032524, 0.00648690384),
    *(0.00305831432, -0.000861340977, -0.000598765424, 7.32037539e-5, 8.43223944e-5),
)

ERFC_FLOAT64 = (
    *(1.021582705242023, -0.6871606844138103, 0.27947209255605376, -0.03644223150691808),
    *(-0.02151066188943273, 0.006479185069164135, 0.0030906120581152873),
    *(-0.0008372960865582222, -0.0006630734952389209, 3.4371663749779505e-05),
    *(0.00014447070122877085, 3.414756226763783e-05, -2.1696114537782193e-05),
    *(-1.611575173429468e-05, -1.1256333870385848e-06, 3.630071016108333e-06),
    *(2.00183717253082e-06, 2.750901646637189e-08, -5.710963647668234e-07),
    *(-3.5734458958337067e-07, -3.3965448025871333e-09, 1.3931685886818277e-07),
    *(5.808397088841817e-08, -2.6432651035265297e-08, -1.9489513251864517e-08),
    *(2.11806662871436e-09, 2.4103331991767275e-09),
)

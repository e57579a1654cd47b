"""Columns in an ONNX graph: what `data.TableEncoder` does, put together from operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.data.tables import TableEncoder
from fastnn.data.tables.columns import PERIODS, CategoryColumn, DateColumn, NumberColumn
from fastnn.export.onnx_file import ML_DOMAIN
from fastnn.export.onnx_graph import Graph

from .target_statistics import TargetStatistics

__all__ = ["ColumnGraph"]

WIDE, WHOLE = np.dtype(np.float64), np.dtype(np.int64)
DAY = 86_400_000_000  # microseconds
#: Days from 0000-03-01, where the years of the calendar below begin, to 1970-01-01.
EPOCH = 719_468
#: What a missing date is, as NumPy has it.
NO_DATE = np.iinfo(np.int64).min
#: Numbers beyond this are at the clip, and their squares are finite up to it.
FAR = 1e150


class ColumnGraph(Graph):
    """A graph whose inputs are columns: numbers in float64, text, dates in int64 microseconds."""

    prefix = "fastnn/"

    def column(self, X: str, place: int) -> str:
        """Append one column (m, 1) of X (m, n)."""
        return self.add("Gather", X, self.constant([place], WHOLE), axis=1)

    def features(self, encoder: TableEncoder, inputs: Mapping[str, str]) -> str:
        """Append the features (m, n) of columns, each (m, 1), by the names of their tensors."""
        places, end = {}, 0
        for column in encoder.columns:
            places[column.name] = list(range(end, end := end + len(column.features)))
        numbers = [each for each in encoder.columns if isinstance(each, NumberColumn)]
        pieces, order = [], []
        if numbers:
            pieces += self.numbers(numbers, [inputs[each.name] for each in numbers])
            order += [places[each.name][0] for each in numbers]
            order += [places[each.name][1] for each in numbers if each.missing]
        for column in encoder.columns:
            if isinstance(column, CategoryColumn):
                pieces.append(self.category(column, inputs[column.name]))
            elif isinstance(column, DateColumn):
                pieces.append(self.date(column, inputs[column.name]))
            else:
                continue
            order += places[column.name]
        whole = self.add("Concat", *pieces, axis=1) if len(pieces) > 1 else pieces[0]
        if order != sorted(order):
            sorter = self.constant(np.argsort(order), WHOLE)
            whole = self.add("Gather", whole, sorter, axis=1)
        return self.cast(whole, WIDE, self.dtype)

    def numbers(self, columns: Sequence[NumberColumn], inputs: Sequence[str]) -> list[str]:
        """Append the numbers of all columns, and flags of those that have one."""
        X = self.add("Concat", *inputs, axis=1) if len(inputs) > 1 else inputs[0]
        missing = self.add("IsNaN", X)

        def each(field: str) -> Any:
            return np.array([[getattr(column, field) for column in columns]])

        Z = self.add("Where", missing, self.constant(each("median"), WIDE), X)
        Z = self.with_constant("Sub", Z, each("shift"), WIDE)
        Z = self.with_constant("Mul", Z, each("factor"), WIDE)
        clip = columns[0].clip  # of all columns of an encoder
        if clip:
            Z = self.with_constant("Max", self.with_constant("Min", Z, FAR, WIDE), -FAR, WIDE)
            part = self.with_constant("Div", Z, clip, WIDE)
            sum_ = self.with_constant("Add", self.add("Mul", part, part), 1, WIDE)
            Z = self.add("Div", Z, self.add("Sqrt", sum_))
        flagged = [k for k, column in enumerate(columns) if column.missing]
        if not flagged:
            return [Z]
        flags = self.add("Cast", missing, to=self.onnx.TensorProto.DOUBLE)
        return [Z, self.add("Gather", flags, self.constant(flagged, WHOLE), axis=1)]

    def category(self, column: CategoryColumn, text: str) -> str:
        """Append the features of a category; an empty text is a missing one."""
        none, K = len(column.features), len(column.values)
        places = column.places
        codes = self.add(
            "LabelEncoder", text, domain=ML_DOMAIN, keys_strings=[*places, ""],
            values_int64s=[*places.values(), none - 1 if column.missing else none],
            default_int64=K if column.other else none,
        )  # fmt: skip
        table = self.constant(np.eye(none + 1)[:, :none], WIDE)
        return self.add("Gather", table, self._flat(codes), axis=0)

    def statistic(self, statistic: TargetStatistics, text: str) -> str:
        """Append the features (m, K) of target statistics, for a column of text."""
        V = len(statistic.values)
        codes = self.add(
            "LabelEncoder", text, domain=ML_DOMAIN, keys_strings=[*statistic.values, ""],
            values_int64s=[*range(V), V], default_int64=V,
        )  # fmt: skip
        table = self.constant(statistic.table, WIDE)
        found = self.add("Gather", table, self._flat(codes), axis=0)
        return self.cast(found, WIDE, self.dtype)

    def _flat(self, column: str) -> str:
        """Append a column (m, 1) as a vector (m,)."""
        return self.add("Squeeze", column, self.constant([1], WHOLE))

    def date(self, column: DateColumn, moment: str) -> str:
        """Append the features of a date, of microseconds since 1970-01-01 UTC."""
        missing = self.add("Equal", moment, self.constant(NO_DATE, WHOLE))
        moment = self.add("Where", missing, self.constant(0, WHOLE), moment)
        days = self.with_constant("Div", self.cast(moment, WHOLE, WIDE), float(DAY), WIDE)
        scaled = self.with_constant("Sub", days, column.shift, WIDE)
        found = [self.with_constant("Mul", scaled, column.factor, WIDE)]
        places = self._places(moment)
        for part in column.parts:
            place = places[part]()
            angle = self.with_constant("Mul", place, 2 * np.pi / PERIODS[part], WIDE)
            quarter = self.with_constant("Add", angle, np.pi / 2, WIDE)
            found += [self.add("Sin", angle), self.add("Sin", quarter)]
        whole = self.add("Concat", *found, axis=1) if len(found) > 1 else found[0]
        whole = self.add("Where", missing, self.constant(0, WIDE), whole)
        if not column.missing:
            return whole
        flag = self.add("Cast", missing, to=self.onnx.TensorProto.DOUBLE)
        return self.add("Concat", whole, flag, axis=1)

    def _places(self, moment: str) -> dict[str, Any]:
        """Return what appends where a moment is in each part of a date, as float64.

        Of days since 0000-03-01, none of them negative, the proleptic Gregorian calendar is whole
        divisions: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
        """
        positive = self._whole("Add", moment, EPOCH * DAY)
        day = self._whole("Div", positive, DAY)

        def month_and_day() -> tuple[str, str]:
            era_day = self._whole("Mod", day, 146_097)
            leap = [self._whole("Div", era_day, n) for n in (1_460, 36_524, 146_096)]
            years = self.add("Sub", self.add("Add", self.add("Sub", era_day, leap[0]), leap[1]),
                             leap[2])  # fmt: skip
            year = self._whole("Div", years, 365)
            begin = self.add("Add", self._whole("Mul", year, 365), self._whole("Div", year, 4))
            begin = self.add("Sub", begin, self._whole("Div", year, 100))
            year_day = self.add("Sub", era_day, begin)
            fifths = self._whole("Add", self._whole("Mul", year_day, 5), 2)
            month = self._whole("Div", fifths, 153)  # 0 is March
            past = self._whole("Add", self._whole("Mul", month, 153), 2)
            first = self._whole("Div", past, 5)
            january = self._whole("Mod", self._whole("Add", month, 2), 12)
            return january, self.add("Sub", year_day, first)

        def wide(whole: str) -> str:
            return self.cast(whole, WHOLE, WIDE)

        return {
            "month": lambda: wide(month_and_day()[0]),
            "day": lambda: wide(month_and_day()[1]),
            "weekday": lambda: wide(self._whole("Mod", self._whole("Add", day, 2), 7)),
            "hour": lambda: self.with_constant(
                "Div", wide(self._whole("Mod", positive, DAY)), DAY / 24, WIDE
            ),
        }

    def _whole(self, kind: str, A: str, number: int) -> str:
        """Append an operation of whole numbers."""
        return self.with_constant(kind, A, number, WHOLE)

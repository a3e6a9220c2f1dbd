"""The ways in and out of a results table: files, data frames, pages."""

from __future__ import annotations

from os import PathLike
from typing import IO, TYPE_CHECKING, Any, Self

from sklearn_transrate.results import _files, _render, _report

if TYPE_CHECKING:
    import pandas

__all__ = ["ExchangeMixin"]

Path = str | PathLike[str]


class ExchangeMixin:
    """Reading and writing for `TransferResults`."""

    @classmethod
    def from_csv(cls, source: Path | IO[str]) -> Self:
        """Table from a CSV file.

        Parameters
        ----------
        source : str, path-like or file
            A path, an open text file, or the text itself (a str of several lines).
            The first line names the columns: ``candidate``, at least one
            ``score_<metric>``, and any others. A column without a name, which is
            where a data frame puts its row numbers, is not read.

        Returns
        -------
        results : TransferResults
            With empty `metadata`, because a CSV has no place for them.

        Raises
        ------
        ValueError
            If rows and header do not fit together, or a cell is not what its
            column holds.

        Examples
        --------
        >>> from sklearn_transrate.results import TransferResults
        >>> saved = "candidate,score_logme\\nvit,0.51\\nresnet50,0.47\\n"
        >>> TransferResults.from_csv(saved)["rank_logme"]
        array([1, 2])
        """
        return cls(_files.read_csv(_files.read_source(source, text_mark="\n")))

    @classmethod
    def from_json(cls, source: Path | IO[str]) -> Self:
        """Table from a JSON file that `to_json` made.

        Parameters
        ----------
        source : str, path-like or file
            A path, an open text file, or the text itself (a str with a ``{``).

        Returns
        -------
        results : TransferResults
            Equal to the table that was saved, with its `metadata`.

        Raises
        ------
        ValueError
            If it is no such file, or its format is newer than this version reads.
        """
        text = _files.read_source(source, text_mark="{")
        columns, metadata, shared = _files.read_json(text)
        return cls(columns, metadata=metadata, shared_errors=shared)

    @classmethod
    def from_frame(cls, frame: Any) -> Self:
        """Table from a data frame.

        Parameters
        ----------
        frame : pandas.DataFrame or polars.DataFrame
            Columns as in `TransferResults`; a pandas index is not read.

        Returns
        -------
        results : TransferResults
            With empty `metadata`.
        """
        return cls(_files.read_frame(frame))

    def to_frame(self) -> pandas.DataFrame:
        """Data frame of all columns.

        Returns
        -------
        frame : pandas.DataFrame
            Rows in listing order. Counts are integers where all of them are known,
            as `pandas.read_csv` would have them.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        return _files.write_frame(self._columns)

    def to_csv(self, path: Path | None = None) -> str | None:
        """CSV of all columns, without `metadata`.

        Parameters
        ----------
        path : str or path-like, optional
            Where to write it. By default it is returned.

        Returns
        -------
        text : str or None
            Rows in listing order, what is unknown empty, numbers with every digit:
            `from_csv` reads an equal table.
        """
        return _files.write_or_return(_files.write_csv(self._columns), path)

    def to_json(self, path: Path | None = None) -> str | None:
        """JSON of all columns and `metadata`.

        Parameters
        ----------
        path : str or path-like, optional
            Where to write it. By default it is returned.

        Returns
        -------
        text : str or None
            An object with ``format``, ``version``, ``metadata`` and ``columns``;
            nan is null and an infinity ``"inf"`` or ``"-inf"``. Errors that
            candidates share are in ``shared_errors``. `from_json` reads an equal
            table with the same metadata and comparisons.
        """
        text = _files.write_json(self._columns, self.metadata, self._shared)
        return _files.write_or_return(text, path)

    def to_markdown(self) -> str:
        """Markdown table as GitHub reads them.

        Returns
        -------
        text : str
            Every candidate, best first, with numbers rounded for reading.
        """
        return _render.markdown_table(self)

    def to_html(self, path: Path | None = None, *, pictures: bool = True) -> str | None:
        """Page with the table, pictures, and how they were made.

        Parameters
        ----------
        path : str or path-like, optional
            Where to write it. By default it is returned.
        pictures : bool, default=True
            Whether to draw the ranking, the layers and the agreement of the metrics,
            where matplotlib is installed.

        Returns
        -------
        text : str or None
            One HTML file that loads nothing from anywhere. It lists every candidate,
            best first, with numbers rounded for reading; the unrounded ones are in it
            to be saved. With scripts the table can be sorted and filtered.
        """
        page = _report.html_page(self, pictures=pictures)
        return _files.write_or_return(page, path)

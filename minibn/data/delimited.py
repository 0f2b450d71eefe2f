"""Reading CSV files through pandas, with what can be wrong with them said in our own words."""

import csv
import re
import warnings

from minibn.errors import DataError, require_extra

from .features import check_distinct

UNREADABLE = "cannot be read as CSV"
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_csv(path):
    """Read a CSV file in UTF-8 whose first line names the columns.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    DataError
        When the file is empty or is not CSV; what it names as a line is a line of the file, the header being line 1.
    """
    pandas = require_extra("pandas", "data")
    try:
        _check_start(path)
        _check_header(_header(path))
        with warnings.catch_warnings():
            # Rows longer than the header would lose their last fields with no more than a warning.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            return pandas.read_csv(path, index_col=False, low_memory=False, **_exact(pandas))
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{UNREADABLE}: {_foreign_byte(path)}; save the file in UTF-8") from error
    except (ValueError, OSError, pandas.errors.ParserWarning) as error:
        raise DataError(f"{UNREADABLE}: {_flaw(path) or _line(error)}; correct the file") from error


def check_names(path, frame):
    """Refuse a file without a header, columns without a name, and two of one name.

    Parameters
    ----------
    path : pathlib.Path
    frame : pandas.DataFrame
        As :func:`read_csv` returned it.

    Raises
    ------
    DataError
    """
    names = _header(path)
    for position, name in enumerate(names, 1):
        if not name.strip() or re.fullmatch(r"Unnamed: \d+", name):  # pandas names an unnamed column so
            raise DataError(
                f"column {position} has no name, as where pandas writes its index; "
                "leave the column out (to_csv(index=False)) or name it"
            )
    if _is_data(names, frame):
        raise DataError(
            f"the first line looks like data, not like names of columns ({', '.join(names[:4])}); "
            "put a line of names above it"
        )
    check_distinct(names)


def _is_data(names, frame):
    """Say whether a header is numbers, or numbers beside a label that occurs in its own column."""
    text = [i for i, name in enumerate(names) if not _is_number(name)]
    if not text:
        return names != [str(i) for i in range(len(names))]  # pandas counts the columns of a bare array
    return len(text) == 1 < len(names) and names[text[0]] in set(frame.iloc[:, text[0]].astype(str))


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_start(path):
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise DataError(f"{UNREADABLE}: it is UTF-16 text or binary; save it as CSV in UTF-8")


def _foreign_byte(path):
    """Return the place of the first byte that is not UTF-8, in words."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"line {number} holds the byte 0x{line[error.start]:02x}, which is not UTF-8 (perhaps Latin-1)"
    return "it is not UTF-8"


def _records(path):
    """Yield (line, fields) of every record that is not blank."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader, line = csv.reader(file, strict=True), 1
        try:
            for fields in reader:
                if len(fields) > 1 or any(map(str.strip, fields)):
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{UNREADABLE}: line {line}: a quotation mark is not closed or stands out of place; correct it"
            ) from error


def _header(path):
    for _, names in _records(path):
        return names
    raise DataError("the file is empty; give a line of column names and rows below it")


def _check_header(names):
    for separator, called in SEPARATORS.items():
        if len(names) == 1 and separator in names[0]:
            raise DataError(
                f"the columns are separated by {called}, not commas; write it again with commas, "
                f"e.g. pandas.read_csv(path, sep={separator!r}).to_csv(path, index=False)"
            )


def _flaw(path):
    """Return what is wrong with the records of a file, None where nothing is found."""
    width = len(_header(path))
    for line, fields in _records(path):
        if len(fields) > width:
            return f"line {line} has {len(fields)} fields and the header {width}"
    return None


def _exact(pandas):
    # From 3.1 on pandas reads decimals exactly by default and warns of the option that older versions need.
    old = tuple(map(int, pandas.__version__.split(".")[:2])) < (3, 1)
    return {"float_precision": "round_trip"} if old else {}


def _line(error):
    return " ".join(str(error).split())

"""The process that makes one report: `python -m mien.serve.jobs.report_process`.

Its arguments are a folder, the names of the record and of the page in it, and the memory that it
may take in megabytes. It prints what is wrong with the record, or nothing when the page is written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mien.core.errors import DataError
from mien.record.report import write_report
from mien.serve.child import limit_resources


def main() -> None:
    """Write the page of the record."""
    folder, record, page, memory_mb = sys.argv[1:]
    limit_resources(int(memory_mb))
    # Of a server that was killed, others remove the folder: from within, it is not made anew.
    os.chdir(folder)
    try:
        write_report(Path(record), Path(page))
    except DataError as error:
        print(error)


if __name__ == "__main__":
    main()

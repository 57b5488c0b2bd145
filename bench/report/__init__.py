"""From a finished run folder to a report: readiness, case pages, junit.xml. Never talks to a bench."""

from bench.report.readiness import Readiness, assess
from bench.report.write import ReportError, write_report

__all__ = ["Readiness", "ReportError", "assess", "write_report"]

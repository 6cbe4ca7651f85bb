"""Jobs: a command is run, and what it says is published line by line, with the time of each line and the exit code.

`wirehop run` is one, and so is every job of the demo's board. This room runs processes and knows how a log is written
down in a channel; whoever uses it gives it a function that publishes. It knows no server.
"""

from wirehop.jobs.job import Job
from wirehop.jobs.process import Exit, StartFailed
from wirehop.jobs.records import Begun, Ended, Line, Lines

__all__ = ["Begun", "Ended", "Exit", "Job", "Line", "Lines", "StartFailed"]

"""An execution: its tasks and journal, and the host that gives each execution its turns."""

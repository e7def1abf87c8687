"""The installer: puts Berth itself into a project, and again as often as one likes."""

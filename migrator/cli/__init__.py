"""The command line: one typer app, one file for each group of commands."""

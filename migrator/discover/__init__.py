"""What a monolith's logs, API description and traces say about how to take it apart.

Pure: lines come in, proposals come out; `migrator.cli.discover` reads the files. Nothing that a
person may have typed or that identifies one comes out: no query, no user, no segment that varies.
"""

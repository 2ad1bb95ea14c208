"""Alembic's migrations, applied by `Database.create()`. `HEAD` names the newest; a test holds it to that."""

HEAD = "0002"

"""The first start (SPEC S3–S6): password, country and time, dashboard access, tutorial."""

"""Badges as CSV files: what spreadsheets write, and what they read. Nothing here touches the database."""

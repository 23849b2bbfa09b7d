"""The installation that the cases are played in: room for all of them at once, and badges of every kind."""

VALID, SECOND, EXPIRED, BLOCKED, UNKNOWN = "C0DE0001", "C0DE0002", "C0DE0003", "C0DE0004", "C0DE0009"
PASSWORD = "0123456789abcdef0123456789abcdef"
WITH_PASSWORD = ("073", "074", "077", "083", "085", "086")

SITE = f"""
installation:
  name: Certification
  mode: static
  phases: 3
  measurement: ct_5a
  ct_ratio_a: 3000
  fuse_a: 3000
  static_limit_a: 2800
access: {{rule: badge}}
badges:
  - {{id_tag: {VALID}}}
  - {{id_tag: {SECOND}}}
  - {{id_tag: {EXPIRED}, expires_on: 2020-01-31}}
  - {{id_tag: {BLOCKED}, active: false}}
stations:
""" + "".join(f"  - {{identity: TC_{number}_CSMS, password: {PASSWORD}}}\n" for number in WITH_PASSWORD)

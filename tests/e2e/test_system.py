"""Backup, restore and health of the running product."""

import json
import subprocess
import sys

from tests.e2e.product import ROOT

PASSPHRASE = "correct horse battery"
SITE = """
installation: {{name: {name}, mode: static, phases: 3, fuse_a: 63, static_limit_a: 40}}
stations: [{{identity: CP1, password: "0123456789abcdef"}}]
users: [{{username: boss, role: administrator, password: "Garage-2026"}}]
"""


def manage(product, *arguments):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=product.environment,
        input=f"{PASSPHRASE}\n",
        capture_output=True,
        text=True,
        check=False,
    )


def health(product, token=None):
    status, body = product.request("/api/health", token=token)
    return status, json.loads(body)


def test_a_backup_is_restored_under_the_running_product_which_then_works_on(product):
    product.apply(SITE.format(name="Before"))
    token = product.token("boss")
    product.wait_for(lambda: health(product)[0] == 200)
    levels = {part["part"]: part["status"] for part in health(product, token)[1]["parts"]}
    for part in ("database", "broker", "loop", "meter", "processes"):
        assert levels[part] == "ok", (part, product.logs())
    product.wait_for(lambda: '"worker", "status": "ok"' in json.dumps(health(product, token)[1]))

    backup = product.folder / "garage.zip"
    made = manage(product, "backup", str(backup))
    assert made.returncode == 0, made.stderr
    product.apply(SITE.format(name="After"))
    product.query("SELECT 1")
    before = {name: product.processes(name)[0].pid for name in ("web", "control", "worker", "beat")}
    restored = manage(product, "restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    assert product.query("SELECT name FROM energy_installation") == [("Before",)]

    for name, pid in before.items():
        product.wait_for(lambda name=name, pid=pid: [p for p in product.processes(name) if p.pid != pid])
    product.wait_for(product.is_serving)
    newest = product.query("SELECT max(at) FROM energy_reading")
    product.wait_for(lambda: product.query("SELECT max(at) FROM energy_reading") > newest)
    product.wait_for(lambda: health(product, token)[1]["status"] != "down")

    written = "".join(path.read_text(errors="replace") for path in (product.folder / "log").iterdir())
    key = (product.folder / "secret_key").read_text()
    for secret in (PASSPHRASE, token, key, "0123456789abcdef", "Garage-2026"):
        assert secret not in written

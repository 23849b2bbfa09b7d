"""Run Daphne on uvloop: `python -m llm_site.serve` takes Daphne's arguments."""

import gc
import os

import uvloop

if __name__ == "__main__":
    uvloop.install()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
    from daphne.cli import CommandLineInterface

    import llm_site.asgi  # noqa: F401 (loaded before the freeze)

    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    CommandLineInterface.entrypoint()

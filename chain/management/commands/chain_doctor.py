"""Look at everything the chain layer needs."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from chain.client import rpc_client
from chain.doctor import CHECKS, ChainSetupError, Check, node_problem
from chain.rpc.errors import RpcError


class Command(BaseCommand):
    help = (
        "Check node, deployment, contracts and cursor; print ok or the problem with its code and "
        "the next step for each. Changes nothing. Exit status 1 when something is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        results = [self._run(check) for check in CHECKS]
        if options["json"]:
            self.stdout.write(json.dumps({"checks": results}))
        else:
            for result in results:
                self._tell(result)
        wrong = [result for result in results if result["code"]]
        if wrong:
            raise CommandError(f"{len(wrong)} of {len(results)} checks found a problem.")

    def _run(self, check: Check) -> dict[str, str]:
        found = {"check": check.name, "code": "", "detail": "", "next_step": ""}
        try:
            return {**found, "detail": check.run(rpc_client())}
        except RpcError as error:
            problem: ChainSetupError = node_problem(error)
        except ChainSetupError as error:
            problem = error
        except DatabaseError:
            return {
                **found,
                "code": "database_unusable",
                "detail": "The database does not answer, or has not the tables.",
                "next_step": "Check that it runs, and DATABASE_URL; run `manage.py migrate`.",
            }
        return {
            **found,
            "code": problem.code,
            "detail": problem.detail,
            "next_step": problem.next_step,
        }

    def _tell(self, result: dict[str, str]) -> None:
        if not result["code"]:
            self.stdout.write(f"ok       {result['check']}: {result['detail']}")
            return
        self.stdout.write(f"PROBLEM  {result['check']}: {result['detail']} ({result['code']})")
        self.stdout.write(f"         Next: {result['next_step']}")

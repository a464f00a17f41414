"""Judge nodes' newest reports again under the policy in force, for example after a vote."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import clock
from network.errors import PolicyUnavailable
from network.models import Node, NodeStatus
from network.selectors.policy import policy_current
from network.services.verdicts import verdict_rejudge


class Command(BaseCommand):
    """A report that counts is judged once; freshness and tier always follow the policy in force.

    What does not follow by itself is the weight of single checks (``attest.enforce_*``): this
    command applies a changed policy to the reports already received. Older verdicts stay, and the
    new ones name both policies. Running it twice changes nothing.
    """

    help = "Judge nodes' newest reports again under the policy in force."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node_ids", nargs="*", help="Node ids in hex; all nodes without.")

    def handle(self, *args: Any, **options: Any) -> None:
        nodes = Node.objects.exclude(status=NodeStatus.EXITED).order_by("position")
        if options["node_ids"]:
            nodes = nodes.filter(node_id__in=[_node_id(text) for text in options["node_ids"]])
        try:
            policy = policy_current()
        except PolicyUnavailable as error:
            raise CommandError(error.detail) from error
        count = 0
        for node in nodes:
            verdict = verdict_rejudge(node=node, policy=policy, at=clock.now())
            if verdict is None or verdict.rejudge_of is None:
                continue
            count += 1
            self.stdout.write(
                f"0x{node.node_id.hex()}: {verdict.rejudge_of.status} under policy "
                f"{verdict.rejudge_of.policy_version} is {verdict.status} under {policy.version}"
            )
        self.stdout.write(f"{count} reports judged again under policy {policy.version}.")


def _node_id(text: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise CommandError(f"{text} is no node id: 64 hexadecimal digits.") from error
    if len(value) != 32:
        raise CommandError(f"{text} is no node id: 64 hexadecimal digits.")
    return value
